// The key that detaches from a shell, in what a terminal sends for the keys that are pressed.
#pragma once

#include <string_view>

namespace pyro::client {

struct DetachKeyAt {
  std::size_t begin = 0;  // keys before it; all of them when it is not there
  bool pressed = false;   // else what begins there may become it with more keys
};
// `key` is a control character. A terminal that was asked to by a program in the guest sends a
// sequence for it: CSI 27;5;93~ (xterm's modifyOtherKeys), CSI 93;5u (xterm's other format, and the
// kitty keyboard protocol with its additions).
DetachKeyAt find_detach_key(std::string_view keys, char key);

}  // namespace pyro::client
