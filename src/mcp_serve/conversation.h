// A session with threads: what one client has said, the calls of it under way, and where its
// messages go. Both transports stand on it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "mcp/session.h"
#include "mcp_serve/wake.h"
#include "mcp_serve/workers.h"

namespace pyro::mcp_serve {

struct Parts {  // borrowed; they outlive every conversation
  mcp::Provider& provider;
  const mcp::StateSeal& seal;
  Workers& workers;
  // Often enough for request timeouts of a few tens of seconds.
  std::chrono::milliseconds beat{5000};
};

class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  // Called with the conversation's lock held, in the order in which the client is to see it: takes
  // the message and returns.
  using Sink = std::function<void(mcp::Outgoing)>;
  // Called on a call's thread before it begins, and before it is answered: then for one call at a
  // time. May block while the client does not keep up.
  using Throttle = std::function<void()>;

  Conversation(Parts parts, mcp::Session::Eras eras, Sink sink, Throttle throttle = {});
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void receive(mcp::Message message);
  void changed(const mcp::Change& change);
  void close();    // as Session has it
  void abandon();  // the same
  void wait();     // until no call runs
  [[nodiscard]] bool idle() const;
  [[nodiscard]] bool initialized() const;

 private:
  class RunningCall;
  using JobPtr = std::shared_ptr<mcp::Job>;

  [[nodiscard]] bool is_wanted(const mcp::Job& job) const;
  // A call that waits for a thread, or has one.
  struct Running {
    Workers::Ticket ticket = 0;
    std::shared_ptr<Wake> interrupt;  // once it has begun: those that wait take no descriptor
    bool stopped = false;
  };
  // With the lock held.
  void apply(mcp::Step step);
  void start(const JobPtr& job);
  void stop(const JobPtr& job);

  void run(const JobPtr& job);
  mcp::Outcome call(mcp::Job& job, int interrupt_fd);
  Result<std::shared_ptr<Wake>> begin(const JobPtr& job);

  Parts parts_;
  Sink sink_;
  Throttle throttle_;
  std::mutex answering_;  // before mutex_
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  mcp::Session session_;
  std::map<JobPtr, Running> running_;
};

// The conversations there are, for changes that all of them may want to hear of.
class Hub {
 public:
  void add(const std::shared_ptr<Conversation>& conversation);
  void changed(const mcp::Change& change);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Conversation>> list_;
};

}  // namespace pyro::mcp_serve
