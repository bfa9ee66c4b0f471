// The arguments of a call, checked by the table of operations before anything is done with them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/operations.h"

namespace pyro::api {

class Arguments {
 public:
  // kInvalid: all problems in one message, which repeats no value. null is the same as leaving out
  // an argument that has no default. Both are borrowed.
  static Result<Arguments> check(const proto::Operation& operation,
                                 const boost::json::object& given);

  // By their names in a library. A name that the operation has not is a bug and reads as not given.
  [[nodiscard]] bool given(std::string_view name) const { return find(name) != nullptr; }
  // As given, else the default; "" when there is neither.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> given_text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer64(std::string_view name) const;
  [[nodiscard]] int integer(std::string_view name) const;
  [[nodiscard]] std::optional<int> given_integer(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  // Of a list of names each stands for itself.
  [[nodiscard]] std::map<std::string, std::string> map(std::string_view name) const;
  [[nodiscard]] std::optional<Arguments> object(std::string_view name) const;
  [[nodiscard]] std::vector<Arguments> objects(std::string_view name) const;

  // The command: words, or one line for /bin/sh -c; the other is empty.
  struct Command {
    std::vector<std::string> words;
    std::string line;
  };
  [[nodiscard]] Command command() const;

 private:
  Arguments(std::vector<proto::Argument> known, const boost::json::object& given)
      : known_(std::move(known)), given_(&given) {}
  [[nodiscard]] const boost::json::value* find(std::string_view name) const;
  [[nodiscard]] const proto::Param* param(std::string_view name) const;

  std::vector<proto::Argument> known_;
  const boost::json::object* given_;
};

// The arguments of an object within one.
std::vector<proto::Argument> nested_arguments(const proto::Param& param);
// [A-Za-z_][A-Za-z0-9_]*
bool is_identifier(std::string_view name);

}  // namespace pyro::api
