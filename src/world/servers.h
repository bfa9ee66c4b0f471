// What answers in the world.
#pragma once

#include <poll.h>

#include <list>
#include <memory>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "world/arrivals.h"
#include "world/land.h"
#include "world/names.h"

namespace pyro::world {

// One thread; nothing blocks but turn().
class Servers {
 public:
  // In the namespace of the world.
  static Result<Servers> open(Land land);
  // Until something has happened, at `control` or elsewhere. True: at `control`.
  Result<bool> turn(int control);
  // What has come by now.
  Arrivals arrivals();
  void forget() { names_.forget(); }

 private:
  struct Listener {
    sys::UniqueFd fd;
    bool dns = false;
  };
  struct Client {
    sys::UniqueFd fd;
    bool dns = false;
    std::vector<std::uint8_t> held;  // of a question that has not come whole
  };
  explicit Servers(Land land) : land_(std::move(land)) {}
  Result<void> listen();
  void look(const Sniffer& sniffer);
  void accept(const Listener& listener);
  // False: it has ended.
  bool serve(Client& client);
  bool serve_questions(Client& client, net::Bytes news);
  void answer_datagrams(const Listener& socket);
  std::vector<std::uint8_t> answer_name(net::Bytes question, std::size_t most);

  Land land_;
  std::vector<Listener> listeners_, datagrams_;
  std::list<Client> clients_;
  Names names_;
  Record record_;
};

}  // namespace pyro::world
