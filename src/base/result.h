// Errors as values. Everything that can fail at run time returns Result<T>; exceptions mean a bug
// or a third-party library, and stop at a task or process root.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

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
std::string_view errc_name(Errc code);
// The code of that name; kInternal for an unknown one (a newer peer).
Errc errc_from_name(std::string_view name);

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

// PYRO_TRY(auto fd, open_it()): a declaration or assignment on success, an early return on failure.
// PYRO_CHECK(call()): the same where there is no value. PYRO_CO_*: inside coroutines.
#define PYRO_CAT2(a, b) a##b
#define PYRO_CAT(a, b) PYRO_CAT2(a, b)
#define PYRO_TRY_IMPL(ret, tmp, decl, ...)       \
  auto tmp = (__VA_ARGS__);                      \
  if (!tmp) [[unlikely]] {                       \
    ret std::unexpected(std::move(tmp).error()); \
  }                                              \
  decl = *std::move(tmp)
#define PYRO_CHECK_IMPL(ret, ...)                     \
  do {                                                \
    if (auto pyro_r = (__VA_ARGS__); !pyro_r) {       \
      ret std::unexpected(std::move(pyro_r).error()); \
    }                                                 \
  } while (false)
#define PYRO_TRY(decl, ...) PYRO_TRY_IMPL(return, PYRO_CAT(pyro_r_, __COUNTER__), decl, __VA_ARGS__)
#define PYRO_CO_TRY(decl, ...) \
  PYRO_TRY_IMPL(co_return, PYRO_CAT(pyro_r_, __COUNTER__), decl, __VA_ARGS__)
#define PYRO_CHECK(...) PYRO_CHECK_IMPL(return, __VA_ARGS__)
#define PYRO_CO_CHECK(...) PYRO_CHECK_IMPL(co_return, __VA_ARGS__)

}  // namespace pyro
