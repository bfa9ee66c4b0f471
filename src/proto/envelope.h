// What the payloads of hello, request, response and event frames look like.
#pragma once

#include "proto/json.h"

namespace pyro::proto {

// The versions of the frame and session rules this build speaks (not of single messages: those grow
// by new fields).
inline constexpr int kProtocolMin = 1;
inline constexpr int kProtocolMax = 1;

struct Hello {
  static constexpr const char* kName = "hello";
  int version_min = kProtocolMin;
  int version_max = kProtocolMax;
  std::string nonce;  // chosen by the initiator, given back in the reply
  bool reply = false;
  std::string software;  // "pyro 0.1.0", for messages

  template <class M>
  void map(M& m) {
    m.required("version_min", version_min);
    m.required("version_max", version_max);
    m.required("nonce", nonce);
    m.optional("reply", reply);
    m.optional("software", software);
  }
};

struct Request {
  static constexpr const char* kName = "request";
  std::string method;
  json::object params;

  template <class M>
  void map(M& m) {
    m.required("method", method);
    m.optional("params", params);
  }
};

struct Event {
  static constexpr const char* kName = "event";
  std::string name;
  json::object params;

  template <class M>
  void map(M& m) {
    m.required("name", name);
    m.optional("params", params);
  }
};

struct ErrorBody {
  static constexpr const char* kName = "error";
  std::string code;
  std::string message;
  std::string hint;
  int os_errno = 0;

  template <class M>
  void map(M& m) {
    m.required("code", code);
    m.required("message", message);
    m.optional("hint", hint);
    m.optional("errno", os_errno);
  }
};

// Exactly one of `result` and `error` is there.
struct Response {
  static constexpr const char* kName = "response";
  // How many data frames its sender has sent on the stream. Data may travel on a lane of its own,
  // so the receiver holds the response back until it has them all.
  std::uint64_t data_frames = 0;
  std::optional<json::object> result;
  std::optional<ErrorBody> error;

  template <class M>
  void map(M& m) {
    m.optional("data_frames", data_frames);
    m.optional("result", result);
    m.optional("error", error);
  }
};

ErrorBody to_body(const Error& error);
Error from_body(const ErrorBody& body);

// Params or result of a message with no fields.
struct Empty {
  static constexpr const char* kName = "empty";
  template <class M>
  void map(M&) {}
};

}  // namespace pyro::proto
