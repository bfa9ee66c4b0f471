// The name server of the world: scripted answers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/packet.h"

namespace pyro::world {

// What it was asked, or empty for what is no question, with its answer (empty: none).
struct Answered {
  std::string name;
  std::vector<std::uint8_t> message;
};

// One thread; remembers how often a name was asked for that changes its mind.
class Names {
 public:
  // `most`: bytes that the asker takes.
  Answered answer(net::Bytes query, std::size_t most);
  void forget() { asked_.clear(); }

 private:
  std::map<std::string, int> asked_;
};

}  // namespace pyro::world
