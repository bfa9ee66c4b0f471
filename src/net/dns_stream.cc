#include "net/dns_stream.h"

#include <algorithm>

namespace pyro::net {

namespace {

constexpr int kMostUnanswered = 16;
constexpr std::size_t kLengthField = 2;
constexpr std::size_t kMostIn = kLengthField + 65535;
constexpr unsigned kByteBits = 8;

std::uint8_t byte(char c) {
  return static_cast<std::uint8_t>(c);
}

}  // namespace

void DnsStream::put(Bytes message) {
  if (unanswered_ > 0) --unanswered_;
  out_ += static_cast<char>(message.size() >> kByteBits);
  out_ += static_cast<char>(message.size());
  out_.append(reinterpret_cast<const char*>(message.data()), message.size());
  if (!taking_) take_messages();
}

std::size_t DnsStream::room() {
  return unanswered_ >= kMostUnanswered ? 0 : kMostIn - in_.size();
}

void DnsStream::take_messages() {
  taking_ = true;
  while (!broken_ && in_.size() >= kLengthField && unanswered_ < kMostUnanswered) {
    const std::size_t size = (std::size_t{byte(in_[0])} << kByteBits) | byte(in_[1]);
    if (in_.size() < kLengthField + size) break;
    const std::string message = in_.substr(kLengthField, size);
    in_.erase(0, kLengthField + size);
    ++unanswered_;
    broken_ = !on_message_({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  }
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

HostIo DnsStream::peek(std::size_t skip, std::span<std::uint8_t> into) {
  if (broken_) return {.kind = HostIo::Kind::kBroken};
  const std::size_t left = out_.size() - std::min(skip, out_.size());
  const std::size_t count = std::min(left, into.size());
  if (count == 0) {
    const bool over = ended_ && unanswered_ == 0;
    return {.kind = over ? HostIo::Kind::kEnd : HostIo::Kind::kWouldBlock};
  }
  std::copy_n(out_.begin() + static_cast<std::ptrdiff_t>(skip), count, into.begin());
  return {.kind = HostIo::Kind::kDone, .count = count};
}

}  // namespace pyro::net
