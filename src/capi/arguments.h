// Arguments of an operation, from what a C program says.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "capi/handles.h"

namespace pyro::capi {

// The first thing that is wrong is what take() gives. NULL and 0 are left out: the default.
class Arguments {
 public:
  Arguments& required(std::string_view name, const char* value);
  Arguments& text(std::string_view name, const char* value);
  Arguments& number(std::string_view name, std::int64_t value);
  Arguments& flag(std::string_view name, int value);
  Arguments& boolean(std::string_view name, bool value);  // never left out
  // Lists that end with NULL.
  // Of NAME=VALUE; where the value is optional, NAME alone stands for NAME=NAME.
  Arguments& map(std::string_view name, const char* const* values, bool value_optional = false);
  Arguments& secret_env(const char* const* values);
  Arguments& secrets(const char* const* values, const char* const* files);
  // At most one of them is not NULL.
  Arguments& readiness(std::string_view type, std::string_view key, const char* value);
  Arguments& published_ports(const char* const* texts);
  Arguments& command(const char* const* argv, const char* command);
  Arguments& policy(const pyro_policy_builder* builder);

  Result<boost::json::object> take() &&;

 private:
  Arguments& wrong(std::string message);
  // `take` gets the two sides of each entry NAME=VALUE.
  template <class F>
  Arguments& pairs(std::string_view name, const char* const* values, bool value_optional, F take);

  boost::json::object object_;
  std::optional<Error> wrong_;
};

}  // namespace pyro::capi
