// A sandbox without a machine: the real engine under its supervisor's hand, and this kernel as the
// guest. All of the escape suite that is about policy runs in it within seconds.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/network.h"
#include "escape/guest.h"
#include "sys/process.h"

namespace pyro::escape {

struct TapPrograms {
  std::string engine, probe, holder;
};

class TapSandbox : public Guest {
 public:
  TapSandbox(TapPrograms programs, std::string net_namespace, std::string resolv_conf);
  ~TapSandbox() override;
  TapSandbox(const TapSandbox&) = delete;
  TapSandbox& operator=(const TapSandbox&) = delete;

  Result<void> set_policy(const policy::Policy& policy) override;
  Result<std::string> probe(const std::vector<std::string>& words) override;
  Result<std::vector<proto::NetEvent>> events() override;
  Result<std::map<std::string, std::int64_t>> drops() override;
  Result<std::uint16_t> other_sandbox() override;
  Result<void> stop_and_start() override { return none(); }
  Result<void> reset() override { return none(); }
  Result<void> snapshot_and_reset(const policy::Policy& /*then*/) override { return none(); }
  Result<Ran> probe_in_run(const policy::Policy& /*policy*/,
                           const std::vector<std::string>& /*words*/) override {
    return none();
  }
  Result<Ran> probe_in_new_workspace(const policy::Policy& /*policy*/,
                                     const std::vector<std::string>& /*words*/) override {
    return none();
  }

 private:
  static std::unexpected<Error> none() { return fail(Errc::kUnavailable, "there is no machine"); }
  template <class T>
  Result<T> wait_for(io::Task<T> task);
  Result<void> start(const policy::Policy& policy);
  [[nodiscard]] sys::SpawnSpec spec(const std::vector<std::string>& words) const;

  TapPrograms programs_;
  std::string net_namespace_, resolv_conf_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  std::mutex mutex_;
  std::vector<proto::NetEvent> events_;  // guarded
  std::unique_ptr<core::Network> network_;
  std::optional<sys::ChildProcess> holder_;
  sys::NetNamespace place_;
  std::unique_ptr<TapSandbox> other_;
  std::optional<sys::ChildProcess> server_;
  std::jthread thread_;
};

}  // namespace pyro::escape
