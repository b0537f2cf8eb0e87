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
  explicit Connection(UniqueFd fd);

  int fd() const { return fd_.get(); }

  /// Reads what there is, up to a bound. False: the connection is broken, drop it.
  bool receive();
  /// Takes the next whole request out of what was read; nothing while there is none, or while the
  /// last one is not answered. An error is to be answered with status 400 and a close.
  Result<std::optional<ReadRequest>> next_request();
  /// Answers the request that next_request() gave last; `close` ends the connection after it.
  /// Where it was `asked_ns`, take_begun() gives that back once the answer is on its way.
  void answer(const Answer& answer, bool close, std::optional<std::uint64_t> asked_ns = {});
  /// Writes what the socket takes; call it when next_request() has nothing more. False: the
  /// connection is broken or done with, drop it.
  bool send();
  /// When the request was asked whose answer's first byte the last send() wrote; once for each.
  std::optional<std::uint64_t> take_begun();

  /// The epoll events to wait for now, where they are others than the last time; EPOLLIN is where
  /// it begins.
  std::optional<std::uint32_t> changed_events();

 private:
  bool all_sent() const { return output_.empty() && made_left_ == 0; }
  void wrote(std::uint64_t bytes);

  UniqueFd fd_;
  std::string input_;
  std::string output_;
  std::size_t output_sent_ = 0;
  std::uint64_t made_offset_ = 0;
  std::uint64_t made_left_ = 0;
  std::optional<std::uint64_t> asked_ns_;  ///< of the newest answer that has it, until take_begun()
  std::uint64_t earlier_left_ = 0;         ///< bytes to write before its first one
  bool begun_ = false;                     ///< its first byte is written
  std::optional<ReadRequest> reading_;     ///< head read, body not yet
  std::uint64_t body_left_ = 0;
  Checksum checksum_;
  bool answering_ = false;    ///< a request was given out and is not answered
  bool client_done_ = false;  ///< the client will send no more
  bool closing_ = false;
  std::uint32_t watched_events_;
};

}  // namespace flare::lab
