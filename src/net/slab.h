// Records that are found by a number, which is never given to another.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "net/host_network.h"

namespace pyro::net {

// What a token is about: its highest byte.
enum class Kind : std::uint8_t { kLink, kTimer, kTcp, kUdp, kEcho, kDns, kListener };
inline constexpr int kKindShift = 56;
constexpr Kind kind_of(Token token) {
  return static_cast<Kind>(token >> kKindShift);
}
constexpr Token token_of(Kind kind, std::uint64_t rest = 0) {
  return (Token{static_cast<std::uint8_t>(kind)} << kKindShift) | rest;
}

// A token is a kind, how often its place was used (24 bits) and the place (32 bits): what is late
// finds nobody.
template <class T>
class Slab {
 public:
  explicit Slab(Kind kind) : kind_(kind) {}

  // The token that the next add() gives.
  [[nodiscard]] Token next() const {
    if (free_.empty()) return token(slots_.size(), 0);
    return token(free_.back(), slots_[free_.back()].uses);
  }
  T& add(std::unique_ptr<T> value) {
    if (free_.empty()) {
      free_.push_back(slots_.size());
      slots_.emplace_back();
    }
    Slot& slot = slots_[free_.back()];
    free_.pop_back();
    slot.value = std::move(value);
    ++size_;
    return *slot.value;
  }
  T* find(Token t) {
    const std::size_t place = t & kPlaceMask;
    if (kind_of(t) != kind_ || place >= slots_.size()) return nullptr;
    Slot& slot = slots_[place];
    return token(place, slot.uses) == t ? slot.value.get() : nullptr;
  }
  void remove(Token t) {
    if (find(t) == nullptr) return;
    const std::size_t place = t & kPlaceMask;
    slots_[place].value.reset();
    ++slots_[place].uses;
    free_.push_back(place);
    --size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  // `visit` may remove what it is shown, and nothing else.
  template <class F>
  void for_each(F visit) {
    for (std::size_t place = 0; place < slots_.size(); ++place) {
      if (slots_[place].value) visit(token(place, slots_[place].uses), *slots_[place].value);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> value;
    std::uint32_t uses = 0;
  };
  static constexpr Token kPlaceMask = 0xffff'ffff;
  static constexpr std::uint32_t kUsesMask = 0xff'ffff;
  static constexpr int kUsesShift = 32;
  [[nodiscard]] Token token(std::size_t place, std::uint32_t uses) const {
    return token_of(kind_, (Token{uses & kUsesMask} << kUsesShift) | place);
  }

  Kind kind_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::size_t size_ = 0;
};

}  // namespace pyro::net
