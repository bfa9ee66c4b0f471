// Results as JSON objects, exactly with the fields that the table of operations lists.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"

namespace pyro::api {

// Indented by two, keys sorted, ends with a newline.
std::string pretty(const boost::json::value& value);
// The same on one line, without blanks.
std::string json_line(const boost::json::value& value);

// For any bytes: UTF-8, U+FFFD for what is not.
boost::json::value json_text(std::string_view bytes);
boost::json::value json_text_or_null(const std::string& bytes);  // null when empty
boost::json::array json_texts(const std::vector<std::string>& list);
template <class T>
boost::json::value or_null(const std::optional<T>& value) {
  return value ? boost::json::value(*value) : boost::json::value(nullptr);
}
// Under `name`; its exact bytes beside it, under NAME_base64, when UTF-8 lost any.
void add_bytes(boost::json::object& out, const std::string& name, std::string_view bytes);

inline constexpr std::size_t kMaxCollected = 64U << 20;  // bytes of each stream that are kept
// The bytes of one stream that were kept.
struct Collected {
  std::string bytes;
  bool truncated = false;

  // Keeps the first kMaxCollected bytes and drops the rest.
  void add(std::string_view more) {
    const std::size_t room = kMaxCollected - bytes.size();
    truncated = truncated || more.size() > room;
    bytes += more.substr(0, room);
  }
};

// NAME as add_bytes() gives it, and NAME_truncated.
void add_stream(boost::json::object& out, const std::string& name, const Collected& stream);
boost::json::object to_json(const client::Timing& timing);

boost::json::object to_json(const Error& error);
boost::json::object to_json(const image::EnvironmentInfo& info);
boost::json::object to_json(const std::vector<image::EnvironmentInfo>& list);
boost::json::object to_json(const client::PruneReport& report);
boost::json::object to_json(const client::DoctorReport& report);
boost::json::object to_json(const client::VmInfo& info);
boost::json::object to_json(const client::ExecResult& result, const Collected& out,
                            const Collected& err);

}  // namespace pyro::api
