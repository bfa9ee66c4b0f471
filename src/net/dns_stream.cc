#include "net/dns_stream.h"

#include <algorithm>

namespace pyro::net {

namespace {

constexpr int kMostUnanswered = 8;
constexpr std::size_t kLengthField = 2;
constexpr unsigned kByteBits = 8;

std::uint8_t byte(char c) {
  return static_cast<std::uint8_t>(c);
}

}  // namespace

void DnsStream::put(Bytes message) {
  if (unanswered_ > 0) --unanswered_;
  // Several that are as long as can be, for questions that were read before: no resolver asks so.
  if (out_.size() + kLengthField + message.size() > kMostOut) broken_ = true;
  if (broken_) return;
  out_ += static_cast<char>(message.size() >> kByteBits);
  out_ += static_cast<char>(message.size());
  out_.append(reinterpret_cast<const char*>(message.data()), message.size());
  if (!taking_) take_messages();
}

std::size_t DnsStream::room() {
  return is_full() ? 0 : kMostIn - in_.size();
}

// Beyond it a question would be answered as well, and a guest that keeps its window closed would
// have us keep answers without end.
bool DnsStream::is_full() const {
  return unanswered_ >= kMostUnanswered || out_.size() > kFull;
}

void DnsStream::take_messages() {
  taking_ = true;
  std::size_t at = 0;
  while (!broken_ && !is_full() && in_.size() - at >= kLengthField) {
    const std::size_t size = (std::size_t{byte(in_[at])} << kByteBits) | byte(in_[at + 1]);
    if (in_.size() - at < kLengthField + size) break;
    const std::string message = in_.substr(at + kLengthField, size);
    at += kLengthField + size;
    ++unanswered_;
    broken_ = !on_message_({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  }
  in_.erase(0, at);
  taking_ = false;
}

HostIo DnsStream::write(Bytes bytes) {
  const std::size_t taken = std::min(bytes.size(), room());
  if (broken_) return {.kind = HostIo::Kind::kBroken};
  if (taken == 0) return {.kind = HostIo::Kind::kWouldBlock};
  in_.append(reinterpret_cast<const char*>(bytes.data()), taken);
  take_messages();
  return {.kind = HostIo::Kind::kDone, .count = taken};
}

void DnsStream::discard(std::size_t count) {
  out_.erase(0, count);
  if (!taking_) take_messages();
}

HostIo DnsStream::peek(std::size_t skip, std::span<std::uint8_t> into) {
  if (broken_) return {.kind = HostIo::Kind::kBroken};
  const std::size_t left = out_.size() - std::min(skip, out_.size());
  const std::size_t count = std::min(left, into.size());
  if (count == 0) {
    const bool over = ended_ && unanswered_ == 0 && !is_full();  // full: questions may wait
    return {.kind = over ? HostIo::Kind::kEnd : HostIo::Kind::kWouldBlock};
  }
  std::copy_n(out_.begin() + static_cast<std::ptrdiff_t>(skip), count, into.begin());
  return {.kind = HostIo::Kind::kDone, .count = count};
}

}  // namespace pyro::net
