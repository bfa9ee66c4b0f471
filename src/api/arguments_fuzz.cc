// Arguments from whoever. What is taken is as the schema says, and everything can be read of it;
// what is not taken is said in a bounded message, which does not repeat a string.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/arguments.h"
#include "api/schema_testing.h"

namespace {

namespace json = boost::json;
using pyro::api::Arguments;

void require(bool fine) {
  if (!fine) std::abort();
}

void read_all(const Arguments& args, const std::vector<pyro::proto::Argument>& known) {
  using enum pyro::proto::ParamType;
  for (const pyro::proto::Argument& argument : known) {
    const std::string name(argument.name);
    const auto type = argument.param->type;
    if (argument.list) {
      static_cast<void>(args.list(name));
    } else if (type == kFlag) {
      static_cast<void>(args.flag(name));
    } else if (type == kInteger) {
      if (args.given(name)) {
        require(args.integer64(name) >= argument.param->min);
        require(args.integer64(name) <= argument.param->max);
      }
    } else if (type == kPair) {
      static_cast<void>(args.map(name));
    } else if (type == kCommand) {
      require(args.command().words.empty() != args.command().line.empty());
    } else if (type == kObject) {
      const auto object = args.object(name);
      if (object) read_all(*object, pyro::api::nested_arguments(*argument.param));
    } else if (type == kObjectList) {
      for (const Arguments& object : args.objects(name))
        read_all(object, pyro::api::nested_arguments(*argument.param));
    } else {
      require(args.given_text(name).has_value() == args.given(name));
    }
  }
}

}  // namespace

// The name of an operation on a line of its own, then the arguments.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(data[i]);
  const std::size_t line = text.find('\n');
  if (line == std::string::npos) return 0;
  const auto* operation = pyro::proto::find_operation(std::string_view(text).substr(0, line));
  if (operation == nullptr) return 0;
  text.erase(0, line + 1);
  boost::system::error_code bad;
  const json::value value = json::parse(text, bad);
  if (bad || !value.is_object()) return 0;
  const auto args = Arguments::check(*operation, value.get_object());
  if (!args) {
    require(args.error().code == pyro::Errc::kInvalid);
    require(!args.error().message.empty() && args.error().message.size() < (64U << 10));
    return 0;
  }
  require(
      pyro::api::testing::SchemaChecker::check(pyro::api::input_schema(*operation), value).empty());
  read_all(*args, pyro::proto::library_arguments(*operation));
  return 0;
}
