// Where a model answers: an OpenAI-compatible HTTP endpoint (Ollama, llama.cpp, vLLM, ...).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::chat {

struct BaseUrl {
  std::string host;  // a name or an address, without brackets
  std::string port;  // 1 to 65535
  std::string path;  // "/v1"; "" for none; no slash at its end

  // "http://[::1]:11434/v1".
  [[nodiscard]] std::string text() const;
};

// "http://HOST[:PORT][/PATH]". kInvalid says what is wrong: what could not be put into a request as
// it is (blanks, user names, queries), and https, which is not spoken here.
Result<BaseUrl> parse_base_url(std::string_view text);

struct Reply {
  unsigned status = 0;
  std::string body;
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  // POST of JSON to the base URL + `path`. A reply is one whatever its status is. kUnavailable:
  // nobody answers there, or not in HTTP; kDeadline; kLimit: the reply is too large.
  virtual Result<Reply> post(std::string_view path, const std::string& body) = 0;
};

inline constexpr std::size_t kMaxReplyHead = 16U << 10;
inline constexpr std::size_t kMaxReplyBody = 1U << 20;
struct Patience {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds answer{300'000};  // a model without a GPU takes its time
};

// Blocking; a connection for each request. No proxy is asked: the endpoint is meant to be near.
std::unique_ptr<Endpoint> http_endpoint(BaseUrl url, Patience patience = {});

}  // namespace pyro::chat
