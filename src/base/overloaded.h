// One callable of several, for std::visit.
#pragma once

namespace pyro {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace pyro
