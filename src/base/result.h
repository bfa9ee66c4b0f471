// Result<T> (pyro/result.hpp) and what makes it short to use. Exceptions mean a bug or a
// third-party library, and stop at a task or process root.
#pragma once

#include <utility>

#include "pyro/result.hpp"

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
