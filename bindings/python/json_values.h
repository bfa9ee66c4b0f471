// Python objects as JSON values, and the other way round. The interpreter's lock must be held.
#pragma once

#include <pybind11/pybind11.h>

#include <boost/json/object.hpp>
#include <string_view>

#include "base/result.h"

namespace pyro::python {

// UTF-8, with U+FFFD for what is not.
pybind11::str to_text(std::string_view bytes);

// None, bool, int of 64 bits, finite float, str, path-like objects, and mappings and sequences of
// them, 32 deep at most. kInvalid names the place of what is something else. A Python exception of
// an object's own methods goes through as pybind11::error_already_set.
Result<boost::json::object> to_json(const pybind11::dict& values);

pybind11::object to_python(const boost::json::value& value);

}  // namespace pyro::python
