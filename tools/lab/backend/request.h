// What a request asks of the backend.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "common/http_head.h"

namespace flare::lab {

struct BackendRequest {
  enum class Kind : std::uint8_t { kWork, kStats, kControl };

  Kind kind = Kind::kWork;
  std::optional<std::uint64_t> number;      ///< X-Request-Number, or N of /r/N
  std::optional<std::uint64_t> body_bytes;  ///< N of /bytes/N: how long the answer is
  double work = 1;                          ///< X-Work: times the drawn service time
  std::optional<double> slow;               ///< of PUT /control?slow=F
  std::uint64_t content_length = 0;
  bool echo_body = false;  ///< POST or PUT: the answer tells length and checksum of the body
  bool wants_continue = false;
  bool closes = false;
};

/// Reads a request. An error says what is wrong with it, for an answer of status 400.
Result<BackendRequest> read_request(const HttpHead& head);

}  // namespace flare::lab
