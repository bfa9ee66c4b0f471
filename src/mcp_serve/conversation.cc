#include "mcp_serve/conversation.h"

#include <exception>
#include <stop_token>
#include <system_error>
#include <thread>

#include "base/text.h"

namespace pyro::mcp_serve {

class Conversation::RunningCall final : public mcp::Call {
 public:
  RunningCall(Conversation& owner, mcp::Job& job, int interrupt_fd)
      : owner_(owner), job_(job), interrupt_fd_(interrupt_fd) {}
  [[nodiscard]] const mcp::Asked& asked() const override { return job_.asked; }
  void progress(double value, std::optional<double> total, std::string_view text) override {
    const std::scoped_lock lock(owner_.mutex_);
    if (auto out = owner_.session_.progress(job_, value, total, text)) {
      owner_.sink_(*std::move(out));
    }
  }
  void log(mcp::LogLevel level, const mcp::json::value& data) override {
    const std::scoped_lock lock(owner_.mutex_);
    if (auto out = owner_.session_.log(job_, level, data)) owner_.sink_(*std::move(out));
  }
  void on_beat(std::function<void()> beat) override {
    beating_ = {};
    if (!beat || !mcp::Session::tells_progress(job_)) return;
    try {
      beating_ = std::jthread([this, beat = std::move(beat)](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        const auto ends = [&stop] { return stop.stop_requested(); };
        while (!stopped.wait_for(lock, stop, owner_.parts_.beat, ends)) beat();
      });
    } catch (const std::system_error&) {
      return;  // the host has no thread for it: the call goes on, in silence
    }
  }
  [[nodiscard]] int interrupt_fd() const override { return interrupt_fd_; }

 private:
  Conversation& owner_;
  mcp::Job& job_;
  int interrupt_fd_;
  std::jthread beating_;
};

Conversation::Conversation(Parts parts, mcp::Session::Eras eras, Sink sink, Throttle throttle)
    : parts_(parts),
      sink_(std::move(sink)),
      throttle_(std::move(throttle)),
      session_(parts.provider, parts.seal, eras) {}

Conversation::~Conversation() = default;

void Conversation::receive(mcp::Message message) {
  const std::scoped_lock lock(mutex_);
  apply(session_.receive(std::move(message)));
}

void Conversation::changed(const mcp::Change& change) {
  const std::scoped_lock lock(mutex_);
  apply(session_.changed(change));
}

void Conversation::close() {
  const std::scoped_lock lock(mutex_);
  apply(session_.close());
}

void Conversation::abandon() {
  const std::scoped_lock lock(mutex_);
  apply(session_.abandon());
}

void Conversation::wait() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return running_.empty(); });
}

bool Conversation::idle() const {
  const std::scoped_lock lock(mutex_);
  return running_.empty() && session_.idle();
}

bool Conversation::initialized() const {
  const std::scoped_lock lock(mutex_);
  return session_.initialized();
}

bool Conversation::is_wanted(const mcp::Job& job) const {
  const std::scoped_lock lock(mutex_);
  return mcp::Session::is_wanted(job);
}

void Conversation::apply(mcp::Step step) {
  for (mcp::Outgoing& out : step.send) sink_(std::move(out));
  for (const JobPtr& job : step.start) start(job);
  for (const JobPtr& job : step.stop) stop(job);
}

void Conversation::start(const JobPtr& job) {
  const auto ticket =
      parts_.workers.post([self = shared_from_this(), job] { self->run(job); }, job->size);
  if (ticket) {
    running_[job] = {.ticket = *ticket};
    return;
  }
  apply(session_.ended(
      job, mcp::RpcError{mcp::kBusy,
                         "no thread is free for this call, and too much waits for one already: try "
                         "again when others have ended",
                         {}}));
}

void Conversation::stop(const JobPtr& job) {
  const auto found = running_.find(job);
  if (found == running_.end()) return;
  found->second.stopped = true;
  if (found->second.interrupt) {
    found->second.interrupt->raise();
  } else if (!mcp::Session::is_wanted(*job) && parts_.workers.withdraw(found->second.ticket)) {
    // Nothing of it stays: a client may send large calls and cancel them for as long as it likes.
    running_.erase(found);
    ended_.notify_all();
  }
}

Result<std::shared_ptr<Wake>> Conversation::begin(const JobPtr& job) {
  const std::scoped_lock lock(mutex_);
  PYRO_TRY(Wake wake, Wake::make());
  Running& running = running_[job];
  running.interrupt = std::make_shared<Wake>(std::move(wake));
  if (running.stopped) running.interrupt->raise();
  return running.interrupt;
}

void Conversation::run(const JobPtr& job) {
  if (throttle_) throttle_();
  mcp::Outcome outcome = mcp::RpcError{mcp::kInternalError, "the call was given up", {}};
  // What was to be stopped in order is begun all the same: short calls are still answered, and long
  // ones see that they are to end.
  if (is_wanted(*job)) {
    if (const auto interrupt = begin(job)) {
      outcome = call(*job, (*interrupt)->fd());
    } else {
      outcome =
          mcp::RpcError{mcp::kBusy,
                        "the host has no descriptor for this call: try again when others have "
                        "ended",
                        {}};
    }
  }
  // Several large answers at once would be taken for a client that does not read.
  const std::scoped_lock one(answering_);
  if (throttle_ && is_wanted(*job)) throttle_();
  const std::scoped_lock lock(mutex_);
  running_.erase(job);
  apply(session_.ended(job, std::move(outcome)));
  ended_.notify_all();
}

mcp::Outcome Conversation::call(mcp::Job& job, int interrupt_fd) {
  try {
    RunningCall running(*this, job, interrupt_fd);
    return mcp::run(parts_.provider, job, running);
  } catch (const std::exception& bug) {
    return mcp::RpcError{
        mcp::kInternalError, "internal error: " + to_utf8(bug.what()) + "; please report it", {}};
  }
}

void Hub::add(const std::shared_ptr<Conversation>& conversation) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(list_, [](const auto& weak) { return weak.expired(); });
  list_.push_back(conversation);
}

void Hub::changed(const mcp::Change& change) {
  std::vector<std::shared_ptr<Conversation>> alive;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& weak : list_) {
      if (auto one = weak.lock()) alive.push_back(std::move(one));
    }
  }
  for (const auto& one : alive) one->changed(change);
}

}  // namespace pyro::mcp_serve
