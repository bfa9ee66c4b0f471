#include <boost/json/serialize.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chat/answer.h"

// What is taken keeps the bounds, and arguments that are read can be written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pyro::chat;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto answer = parse_answer(text)) {
    if (answer->text.size() > kMaxAnswerText || answer->calls.size() > kMaxCalls) std::abort();
    for (const ToolCall& call : answer->calls) {
      if (call.arguments.size() > kMaxAnswerText) std::abort();
      if (const auto object = parse_arguments(call.arguments)) {
        if (!parse_arguments(boost::json::serialize(*object))) std::abort();
      }
    }
  }
  if (failure_text(text).size() > 310) std::abort();
  return 0;
}
