// Calls on threads of their own.
//
//   pyro::Call call = pyro::start(sandboxes, &pyro::Pyro::run_in_vm, create, exec, observer);
//   if (!call.wait_for(10s)) call.cancel();
//   pyro::Result<pyro::ExecResult> result = call.get();
#pragma once

#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "pyro/export.h"
#include "pyro/result.hpp"
#include "pyro/vm.hpp"
#include "pyro/workspaces.hpp"

namespace pyro {

namespace detail {

// A thread, and a pipe that tells what runs on it to end.
class PYRO_API Background {
 public:
  Background();
  ~Background();  // interrupts and waits
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // Once; `body` does not throw and gets the end of the pipe that it is to look at. kLimit: there
  // can be no more threads or descriptors.
  Result<void> run(std::function<void(int interrupt_fd)> body);
  void interrupt() noexcept;  // makes the pipe readable, for good
  void wait();
  bool wait_for(std::chrono::milliseconds limit);

 private:
  struct PYRO_LOCAL Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace detail

inline constexpr std::chrono::milliseconds kCancelGrace{2000};

// A call that was started. It belongs to one thread at a time, but for cancel(), which any
// thread may call while the object is there.
template <class T>
class [[nodiscard]] Call {
 public:
  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) noexcept = default;  // what was there is cancelled and waited for
  ~Call() = default;                           // cancels and waits

  // Gives the call up in order: a command in the guest gets SIGINT, and kCancelGrace later SIGTERM
  // and SIGKILL; its result comes all the same. A call without an observer or an `interrupt_fd`,
  // of its own or its options, goes on to its end, and so does a pull of an environment.
  void cancel() noexcept { state_->thread.interrupt(); }
  void wait() { state_->thread.wait(); }
  // Whether it has ended.
  bool wait_for(std::chrono::milliseconds limit) { return state_->thread.wait_for(limit); }
  // Waits. The result can be taken once; kInvalid after that.
  Result<T> get() {
    wait();
    Result<T> result = std::move(state_->result);
    state_->result = fail(Errc::kInvalid, "the result of this call was taken before");
    return result;
  }

 private:
  struct State {
    Result<T> result = fail(Errc::kInternal, "the call did not end");
    detail::Background thread;  // goes first: it writes the result
  };
  explicit Call(std::unique_ptr<State> state) : state_(std::move(state)) {}

  template <class F>
    requires std::invocable<F&, int>
  friend auto start(F operation);

  std::unique_ptr<State> state_;
};

// Starts `operation(interrupt_fd)`, which returns a Result<T>, on a thread of its own. The number
// is for an observer, with kCancelGrace, or poll(2): it becomes readable, and nobody reads from it.
// What the operation refers to outlives the call; an exception that leaves it becomes an error of
// the call.
template <class F>
  requires std::invocable<F&, int>
auto start(F operation) {
  using T = typename std::invoke_result_t<F&, int>::value_type;
  auto state = std::make_unique<typename Call<T>::State>();
  auto body = std::make_shared<F>(std::move(operation));
  const auto started =
      state->thread.run([result = &state->result, body = std::move(body)](int interrupt_fd) {
        try {
          *result = (*body)(interrupt_fd);
        } catch (const std::exception& e) {
          *result = fail(Errc::kInternal, std::string("an exception left the call: ") + e.what());
        } catch (...) {
          *result = fail(Errc::kInternal, "an exception left the call");
        }
      });
  if (!started) state->result = std::unexpected(started.error());
  return Call<T>(std::move(state));
}

// Stands for the parameter `interrupt_fd` of an operation that is started.
struct InterruptOfCall {};
inline constexpr InterruptOfCall kInterruptOfCall;

namespace detail {
// Options and observers of every kind: whatever has an interrupt is given that of the call.
template <class Arg>
Arg& with_interrupt(Arg& arg, int fd) {
  if constexpr (requires { arg.interrupt_fd; }) arg.interrupt_fd = fd;
  if constexpr (requires { arg.interrupt_grace; }) arg.interrupt_grace = kCancelGrace;
  if constexpr (requires { arg.stop_fd; }) arg.stop_fd = fd;
  return arg;
}
inline WorkspaceObserver& with_interrupt(WorkspaceObserver& arg, int fd) {
  with_interrupt(arg.run, fd);
  return arg;
}
inline int with_interrupt(InterruptOfCall&, int fd) {
  return fd;
}
}  // namespace detail

// Starts an operation of `object` (a Pyro, its workspaces, shells or services) with copies of these
// arguments: all of them, with kInterruptOfCall for an `interrupt_fd`. The interrupt of an observer
// of options or of ShellKeys is set.
template <class Object, class Operation, class... Args>
  requires std::is_member_function_pointer_v<Operation>
auto start(Object& object, Operation operation, Args... args) {
  return start([&object, operation,
                values = std::tuple<Args...>(std::move(args)...)](int interrupt_fd) mutable {
    return std::apply(
        [&](auto&... value) {
          return std::invoke(operation, object, detail::with_interrupt(value, interrupt_fd)...);
        },
        values);
  });
}

}  // namespace pyro
