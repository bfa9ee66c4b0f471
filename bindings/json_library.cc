// Boost.JSON once more, for shared libraries: Debian's libboost_json.a is made for programs and
// cannot be linked into one (it is not position independent).
#include <boost/json/src.hpp>
