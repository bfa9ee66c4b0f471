// JSON to structs and back. Each message lists its fields once:
//
//   struct Ping {
//     static constexpr const char* kName = "ping";
//     std::int64_t count = 0;
//     template <class M>
//     void map(M& m) { m.required("count", count); }
//   };
//
// Fields may be bool, integers, double, std::string, Bytes, boost::json::object, structs with a
// map(), and std::optional, std::vector and std::map<std::string, ...> of those. Unknown fields are
// ignored (that is how the protocol grows); every problem is reported at once; input is never
// echoed in an error.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/text.h"

namespace pyro::proto {

namespace json = boost::json;

// A string of any bytes, carried as base64: JSON text is UTF-8 only, but program arguments, paths
// and environment values need not be.
struct Bytes {
  std::string value;
  Bytes() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a Bytes is a string, only its encoding differs
  Bytes(std::string v) : value(std::move(v)) {}
  Bytes(const char* v) : value(v) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const Bytes&) const = default;
};
std::vector<Bytes> to_bytes(std::vector<std::string> words);
std::vector<std::string> to_strings(std::vector<Bytes> words);

// At most 32 levels deep; the caller has capped the size. Errc::kInvalid when it is not one object.
Result<json::object> parse_object(std::string_view text);
std::string to_text(const json::object& object);

class JsonDecoder {
 public:
  explicit JsonDecoder(const json::object& in) : in_(in) {}
  template <class T>
  void required(const char* key, T& out) {
    take(key, out, true);
  }
  // A missing field or null leaves `out` as it is.
  template <class T>
  void optional(const char* key, T& out) {
    take(key, out, false);
  }
  // "argv missing, tty.rows mistyped"; empty when all was well.
  [[nodiscard]] const std::string& problems() const { return problems_; }

 private:
  template <class T>
  void take(const char* key, T& out, bool required) {
    const json::value* v = in_.if_contains(key);
    if (v == nullptr || (!required && v->is_null())) {
      if (required) report(key, "missing");
      return;
    }
    read(*v, out, key);
  }
  void report(std::string_view path, std::string_view what);
  void wrong(const std::string& path) { report(path, "mistyped"); }

  void read(const json::value& v, bool& out, const std::string& path);
  void read(const json::value& v, double& out, const std::string& path);
  void read(const json::value& v, std::string& out, const std::string& path);
  void read(const json::value& v, Bytes& out, const std::string& path);
  void read(const json::value& v, json::object& out, const std::string& path);

  template <std::integral I>
  void read(const json::value& v, I& out, const std::string& path) {
    if (const auto* i = v.if_int64(); i != nullptr && std::in_range<I>(*i)) {
      out = static_cast<I>(*i);
    } else if (const auto* u = v.if_uint64(); u != nullptr && std::in_range<I>(*u)) {
      out = static_cast<I>(*u);
    } else {
      wrong(path);
    }
  }
  template <class T>
  void read(const json::value& v, std::optional<T>& out, const std::string& path) {
    if (v.is_null()) {
      out.reset();
    } else {
      read(v, out.emplace(), path);
    }
  }
  template <class T>
  void read(const json::value& v, std::vector<T>& out, const std::string& path) {
    const json::array* list = v.if_array();
    if (list == nullptr) return wrong(path);
    out.clear();
    out.reserve(list->size());
    for (const json::value& item : *list) {
      T one{};
      read(item, one, path + "[" + std::to_string(out.size()) + "]");
      out.push_back(std::move(one));
    }
  }
  template <class T>
  void read(const json::value& v, std::map<std::string, T>& out, const std::string& path) {
    const json::object* object = v.if_object();
    if (object == nullptr) return wrong(path);
    out.clear();
    for (const auto& [key, item] : *object) read(item, out[std::string(key)], path + ".*");
  }
  template <class T>
    requires requires(T& t, JsonDecoder& d) { t.map(d); }
  void read(const json::value& v, T& out, const std::string& path) {
    const json::object* object = v.if_object();
    if (object == nullptr) return wrong(path);
    JsonDecoder inner(*object);
    inner.prefix_ = prefix_ + path + ".";
    out.map(inner);
    if (inner.problems_.empty()) return;
    problems_ += (problems_.empty() ? "" : ", ") + inner.problems_;
  }

  const json::object& in_;
  std::string prefix_;
  std::string problems_;
};

// Text that is not UTF-8 is made so (U+FFFD), a double that is not finite becomes null: the peer
// refuses the one where it is required, and never sees the other.
class JsonEncoder {
 public:
  template <class T>
  void required(const char* key, T& in) {
    out_.emplace(key, write(in));
  }
  // An empty std::optional is left out, every other value is written.
  template <class T>
  void optional(const char* key, T& in) {
    out_.emplace(key, write(in));
  }
  template <class T>
  void optional(const char* key, std::optional<T>& in) {
    if (in) out_.emplace(key, write(*in));
  }
  json::object take() { return std::move(out_); }

 private:
  static json::value write(bool in) { return json::value(in); }
  static json::value write(double in) {
    return std::isfinite(in) ? json::value(in) : json::value(nullptr);
  }
  static json::value write(const std::string& in) { return json::value(to_utf8(in)); }
  static json::value write(const Bytes& in) { return json::value(base64(in.value)); }
  static json::value write(const json::object& in) { return json::value(in); }
  template <std::integral I>
  static json::value write(I in) {
    if constexpr (std::signed_integral<I>) return json::value(static_cast<std::int64_t>(in));
    return json::value(static_cast<std::uint64_t>(in));
  }
  template <class T>
  static json::value write(std::optional<T>& in) {
    return in ? write(*in) : json::value(nullptr);
  }
  template <class T>
  static json::value write(std::vector<T>& in) {
    json::array list;
    list.reserve(in.size());
    for (T& item : in) list.push_back(write(item));
    return json::value(std::move(list));
  }
  template <class T>
  static json::value write(std::map<std::string, T>& in) {
    json::object object;
    for (auto& [key, item] : in) object.insert_or_assign(to_utf8(key), write(item));
    return json::value(std::move(object));
  }
  template <class T>
    requires requires(T& t, JsonEncoder& e) { t.map(e); }
  static json::value write(T& in) {
    JsonEncoder inner;
    in.map(inner);
    return json::value(inner.take());
  }

  json::object out_;
};

template <class T>
json::object encode(T message) {
  JsonEncoder e;
  message.map(e);
  return e.take();
}

// Errc::kInvalid, naming T::kName and every bad field.
template <class T>
Result<T> decode(const json::object& in) {
  JsonDecoder d(in);
  T out;
  out.map(d);
  if (!d.problems().empty()) {
    return fail(Errc::kInvalid, std::string(T::kName) + ": " + d.problems());
  }
  return out;
}

template <class T>
Result<T> decode_text(std::string_view text) {
  auto object = parse_object(text);
  if (!object) return std::unexpected(std::move(object.error()).context(T::kName));
  return decode<T>(*object);
}

}  // namespace pyro::proto
