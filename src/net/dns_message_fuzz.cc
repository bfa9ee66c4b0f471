// What is read of a message is what is read of it after it was written again. The first byte: 0 a
// query, else an answer to a question for example.com.
#include <cstdint>
#include <cstdlib>

#include "net/dns_message.h"

namespace {

using namespace pyro::net;

void require(bool fine) {
  if (!fine) std::abort();
}

void check_query(Bytes message) {
  const auto query = parse_query(message);
  if (!query) return;
  const auto written = write_query(query->id, query->question);
  const auto again = parse_query(written);
  require(again && again->question == query->question && again->id == query->id);
  require(write_answer(*query, {.rcode = Rcode::kRefused}, ExtendedError{.code = 15, .text = "x"},
                       query->udp_size)
              .size() <= query->udp_size);
}

void check_answer(Bytes message) {
  constexpr std::uint16_t kId = 0x1234;
  const DnsQuestion question{.name = "example.com", .type = 1};
  const auto answer = parse_answer(message, kId, question);
  if (!answer || answer->truncated) return;
  require(answer->aliases.size() <= kMostAliases && answer->addresses.size() <= kMostAddresses);
  const DnsQuery query{.id = kId, .question = question};
  const auto written = write_answer(query, *answer, std::nullopt, kMostDnsMessage);
  const auto again = parse_answer(written, kId, question);
  require(again && again->aliases == answer->aliases &&
          again->addresses.size() == answer->addresses.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes message{data + 1, size - 1};
  if (data[0] == 0) {
    check_query(message);
  } else {
    check_answer(message);
  }
  return 0;
}
