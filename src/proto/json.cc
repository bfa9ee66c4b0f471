#include "proto/json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace pyro::proto {

std::vector<Bytes> to_bytes(std::vector<std::string> words) {
  std::vector<Bytes> out;
  out.reserve(words.size());
  for (std::string& w : words) out.emplace_back(std::move(w));
  return out;
}

std::vector<std::string> to_strings(std::vector<Bytes> words) {
  std::vector<std::string> out;
  out.reserve(words.size());
  for (Bytes& w : words) out.push_back(std::move(w.value));
  return out;
}

Result<json::object> parse_object(std::string_view text) {
  boost::system::error_code ec;
  json::value v = json::parse({text.data(), text.size()}, ec);
  if (ec || !v.is_object()) return fail(Errc::kInvalid, "not a JSON object");
  return std::move(v.get_object());
}

std::string to_text(const json::object& object) {
  return json::serialize(object);
}

void JsonDecoder::report(std::string_view path, std::string_view what) {
  constexpr std::size_t kEnough = 1000;  // the list is for a person; a peer may send a long one
  if (problems_.size() > kEnough) return;
  if (!problems_.empty()) problems_ += ", ";
  problems_ += prefix_;
  problems_ += path;
  problems_ += ' ';
  problems_ += what;
}

void JsonDecoder::read(const json::value& v, bool& out, const std::string& path) {
  const bool* b = v.if_bool();
  if (b == nullptr) return wrong(path);
  out = *b;
}

void JsonDecoder::read(const json::value& v, double& out, const std::string& path) {
  double d = 0;
  if (const auto* i = v.if_int64()) {
    d = static_cast<double>(*i);
  } else if (const auto* u = v.if_uint64()) {
    d = static_cast<double>(*u);
  } else if (const auto* f = v.if_double()) {
    d = *f;
  } else {
    return wrong(path);
  }
  if (!std::isfinite(d)) return wrong(path);
  out = d;
}

void JsonDecoder::read(const json::value& v, std::string& out, const std::string& path) {
  const json::string* s = v.if_string();
  if (s == nullptr) return wrong(path);
  out.assign(s->begin(), s->end());
}

void JsonDecoder::read(const json::value& v, Bytes& out, const std::string& path) {
  const json::string* s = v.if_string();
  if (s == nullptr) return wrong(path);
  auto bytes = base64_decode({s->data(), s->size()});
  if (!bytes) return report(path, "is not base64");
  out.value = *std::move(bytes);
}

void JsonDecoder::read(const json::value& v, json::object& out, const std::string& path) {
  const json::object* o = v.if_object();
  if (o == nullptr) return wrong(path);
  out = *o;
}

}  // namespace pyro::proto
