#include "cli/json_edit.h"

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <vector>

namespace pyro::cli {
namespace {

namespace json = boost::json;

std::string edited(std::string_view text) {
  const auto out = set_member(text, "servers", "pyro", json::object{{"command", "p"}});
  return out ? *out : "(" + out.error().message + ")";
}

TEST(SetMember, MakesWhatIsMissing) {
  const std::string whole =
      "{\n  \"servers\": {\n    \"pyro\": {\n      \"command\": \"p\"\n    }\n  }\n}\n";
  for (const char* text : {"", " \n", "{}\n", "{ }\n"}) EXPECT_EQ(edited(text), whole) << text;
}

TEST(SetMember, LeavesEverythingElseByteForByte) {
  struct Row {
    std::string before, after;
  };
  const std::vector<Row> rows{
      {"{\n    \"a\": 1.50,\n    \"b\": [1e9, \"}\\\"\", {}]\n}\n",
       "{\n    \"a\": 1.50,\n    \"b\": [1e9, \"}\\\"\", {}],\n    \"servers\": {\n        "
       "\"pyro\": "
       "{\n            \"command\": \"p\"\n        }\n    }\n}\n"},
      {"{\"servers\":{\"x\":{}},\"n\":123456789012345678901234567890}",
       "{\"servers\":{\"x\":{},\n    \"pyro\": {\n      \"command\": \"p\"\n    }},\"n\":"
       "123456789012345678901234567890}"},
      {"{\n\t\"servers\": {\n\t\t\"pyro\": [1, {\"deep\": []}] ,\n\t\t\"z\": 1\n\t}\n}",
       "{\n\t\"servers\": {\n\t\t\"pyro\": {\n\t\t\t\"command\": \"p\"\n\t\t} ,\n\t\t\"z\": "
       "1\n\t}\n}"},
      {"{\"servers\": {\"p\\u0079ro\": 1}}",
       "{\"servers\": {\"p\\u0079ro\": {\n      \"command\": \"p\"\n    }}}"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(edited(row.before), row.after) << row.before;
    EXPECT_EQ(edited(row.after), row.after) << "a second time changes nothing";
  }
}

TEST(SetMember, RefusesWhatItCannotUnderstand) {
  for (const char* text : {"[]", "7", "{", "{\"a\": 1,}", "// a comment\n{}", "{\"servers\": []}",
                           "{\"servers\": null}", "{\"servers\": 1}", "{} {}",
                           "{\"servers\": {\"a\": 1}, \"servers\": 7}"}) {
    EXPECT_TRUE(edited(text).starts_with("(")) << text << edited(text);
  }
}

}  // namespace
}  // namespace pyro::cli
