#include "proto/envelope.h"

namespace pyro::proto {

ErrorBody to_body(const Error& error) {
  return {.code = std::string(errc_name(error.code)),
          .message = error.message,
          .hint = error.hint,
          .os_errno = error.os_errno};
}

Error from_body(const ErrorBody& body) {
  return {.code = errc_from_name(body.code),
          .os_errno = body.os_errno,
          .message = body.message,
          .hint = body.hint};
}

}  // namespace pyro::proto
