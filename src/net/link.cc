#include "net/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace pyro::net {

static_assert(kMostFrame < 65536);

Link::Link(sys::UniqueFd fd) : fd_(std::move(fd)), sizes_(kQueue) {}

Result<std::unique_ptr<Link>> Link::take(sys::UniqueFd fd) {
  PYRO_CHECK(sys::set_nonblocking(fd.get(), true));
  return std::unique_ptr<Link>(new Link(std::move(fd)));
}

bool Link::receive(const std::function<void(Bytes frame)>& show) {
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts[i] = {.iov_base = &in_[i * kSlot], .iov_len = kSlot};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int got = ::recvmmsg(fd_.get(), messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (got <= 0) return false;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i)
    show(Bytes(in_).subspan(i * kSlot, messages[i].msg_len));
  return static_cast<std::size_t>(got) == kBatch;
}

Buffer Link::place() {
  if (queued_ == kQueue) flush();
  if (queued_ == kQueue) return {};
  return Buffer(out_).subspan((first_ + queued_) % kQueue * kSlot, kMostFrame);
}

void Link::send(std::size_t size) {
  sizes_[(first_ + queued_) % kQueue] = size;
  ++queued_;
}

bool Link::flush() {
  while (queued_ > 0) {
    std::array<iovec, kQueue> parts{};
    std::array<mmsghdr, kQueue> messages{};
    for (std::size_t i = 0; i < queued_; ++i) {
      const std::size_t slot = (first_ + i) % kQueue;
      parts[i] = {.iov_base = &out_[slot * kSlot], .iov_len = sizes_[slot]};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(fd_.get(), messages.data(), static_cast<unsigned>(queued_),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      first_ = (first_ + static_cast<std::size_t>(sent)) % kQueue;
      queued_ -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    } else if (errno != EINTR) {
      queued_ = 0;  // nobody is there (ECONNREFUSED), or nobody ever will be
    }
  }
  return true;
}

}  // namespace pyro::net
