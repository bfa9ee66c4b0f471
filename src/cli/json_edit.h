// One member of a JSON file, put into its text: everything else stays byte for byte, which parsing
// and writing it anew would not leave (numbers, blanks, the order of what is there twice).
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::cli {

// `text` with `value` as the member `name` of the member `section` of its outermost object; both
// are made when they are missing. Where it is there already, nothing changes. Blank text is an
// empty object. kInvalid: it is no JSON (comments are none), or what is to hold others is no
// object.
Result<std::string> set_member(std::string_view text, std::string_view section,
                               std::string_view name, const boost::json::value& value);

// On lines of their own, with `unit` for each level from `depth` on; the first line has none.
std::string indented(const boost::json::value& value, std::string_view unit, int depth);

}  // namespace pyro::cli
