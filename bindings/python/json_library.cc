// Boost.JSON once more: Debian's libboost_json.a is made for programs and cannot be linked into a
// shared library (it is not position independent), and a wheel brings no shared library along.
#include <boost/json/src.hpp>
