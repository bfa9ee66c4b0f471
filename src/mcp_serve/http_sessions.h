// Sessions of the era until 2025-11-25 over HTTP: found by the id that `initialize` was answered
// with, each message of theirs led to the response that it belongs to.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "mcp_serve/conversation.h"
#include "mcp_serve/http_stream.h"

namespace pyro::mcp_serve {

inline constexpr std::size_t kMostSessions = 64;

class HttpSession {
 public:
  HttpSession(Parts parts, std::string id);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::shared_ptr<Conversation>& conversation() const { return conversation_; }
  // What belongs to this request of the client's goes here from now on, until its answer. False: a
  // request with this id is under way.
  bool route(const mcp::RequestId& request, const std::shared_ptr<HttpStream>& stream);
  // What belongs to none goes here (a GET): false when there is such a stream already.
  bool listen(const std::shared_ptr<HttpStream>& stream);
  // Nothing goes there any more. The id of a request that was not answered stays taken until it is:
  // its answer must not pass for that of another request.
  void unroute(const std::shared_ptr<HttpStream>& stream);
  // The client has gone, or its session made room: what runs is given up, and every response of it
  // that is open ends.
  void end();

 private:
  struct Routes {
    std::mutex mutex;
    std::map<mcp::RequestId, std::shared_ptr<HttpStream>> by_request;  // null: nobody listens
    std::weak_ptr<HttpStream> others;
  };
  static void deliver(Routes& routes, mcp::Outgoing message);

  std::string id_;
  std::shared_ptr<Routes> routes_;
  std::shared_ptr<Conversation> conversation_;
};

// Of the loop alone.
class HttpSessions {
 public:
  explicit HttpSessions(Parts parts, Hub& hub) : parts_(parts), hub_(hub) {}
  // kLimit when there are kMostSessions and all of them have calls under way; otherwise the one
  // that was used least lately makes room.
  Result<std::shared_ptr<HttpSession>> make();
  std::shared_ptr<HttpSession> find(const std::string& id);
  void end(const std::string& id);
  void end_all();

 private:
  struct Entry {
    std::shared_ptr<HttpSession> session;
    std::uint64_t used = 0;
  };
  Parts parts_;
  Hub& hub_;
  std::uint64_t uses_ = 0;
  std::map<std::string, Entry> by_id_;
};

}  // namespace pyro::mcp_serve
