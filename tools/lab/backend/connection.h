// One client connection of the backend: bytes in, requests out; answers in, bytes out.
// It reads and writes its socket, and leaves events, queueing and counting to the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/request.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "common/body.h"

namespace flare::lab {

/// An answer: a small text body, or `made_bytes` of a made one.
struct Answer {
  int status = 200;
  std::string fields;  ///< further header lines, each with its line end
  std::string body;
  std::optional<std::uint64_t> made_bytes;
};

/// What was asked, once its body is read.
struct ReadRequest {
  BackendRequest request;
  std::uint64_t body_bytes = 0;
  std::uint64_t body_checksum = 0;
};

class Connection {
 public:
  explicit Connection(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  /// Reads what there is, up to a bound. False: the connection is broken, drop it.
  bool receive();
  /// Takes the next whole request out of what was read; nothing while there is none, or while the
  /// last one is not answered. An error is to be answered with status 400 and a close.
  Result<std::optional<ReadRequest>> next_request();
  /// Answers the request that next_request() gave last; `close` ends the connection after it.
  void answer(const Answer& answer, bool close);
  /// Writes what the socket takes; call it when next_request() has nothing more. False: the
  /// connection is broken or done with, drop it.
  bool send();

  /// The epoll events to wait for now.
  std::uint32_t wanted_events() const;

 private:
  bool all_sent() const { return output_.empty() && made_left_ == 0; }

  UniqueFd fd_;
  std::string input_;
  std::string output_;
  std::size_t output_sent_ = 0;
  std::uint64_t made_offset_ = 0;
  std::uint64_t made_left_ = 0;
  std::optional<ReadRequest> reading_;  ///< head read, body not yet
  std::uint64_t body_left_ = 0;
  Checksum checksum_;
  bool answering_ = false;    ///< a request was given out and is not answered
  bool client_done_ = false;  ///< the client will send no more
  bool closing_ = false;
};

}  // namespace flare::lab
