// Errors as values. Everything that can fail at run time returns Result<T>; no function of pyro
// throws, but for std::bad_alloc.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "pyro/export.h"

namespace pyro {

// Few codes; each tells the caller what to do next.
enum class Errc : std::uint8_t {
  kInvalid,      // the request is wrong: fix it
  kNotFound,     // the named thing does not exist
  kDenied,       // not permitted
  kUnavailable,  // the host or the guest cannot do it now
  kDeadline,     // it took too long
  kLimit,        // a stated bound was reached
  kConflict,     // the thing is in a state that does not allow it, or somebody else holds it
  kDamaged,      // stored data does not match its record
  kInternal,     // a bug in pyro
};

// The stable name used in JSON (`error.code`).
PYRO_API std::string_view errc_name(Errc code);
// The code of that name; kInternal for an unknown one (a newer peer).
PYRO_API Errc errc_from_name(std::string_view name);

struct Error {
  Errc code = Errc::kInternal;
  int os_errno = 0;     // 0 when no system call was involved
  std::string message;  // what failed and why, outermost context first
  std::string hint;     // the next step for a person; may be empty

  Error&& context(std::string_view where) && {
    message.insert(0, std::string(where) + ": ");
    return std::move(*this);
  }
  Error&& with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
};

// A class and not an alias, because std::expected itself may be dropped on the floor silently.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(Errc code, std::string message, int os_errno = 0) {
  return std::unexpected(
      Error{.code = code, .os_errno = os_errno, .message = std::move(message), .hint = {}});
}
inline std::unexpected<Error> fail_hint(Errc code, std::string message, std::string hint) {
  return std::unexpected(
      Error{.code = code, .os_errno = 0, .message = std::move(message), .hint = std::move(hint)});
}

}  // namespace pyro
