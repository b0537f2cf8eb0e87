// One connection to an HTTP server, from its client's side: one request at a time.
// It reads and writes its socket, and leaves events, reuse and time to its owner.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "common/http_head.h"
#include "common/outcome.h"

namespace flare::lab {

class ClientConnection {
 public:
  /// What progress() found.
  enum class Step : std::uint8_t {
    kWait,      ///< nothing to report
    kAnswered,  ///< the whole answer is there
    kFailed,    ///< the connection is of no more use; outcome() says why
  };

  ClientConnection(UniqueFd fd, std::uint32_t id) : fd_(std::move(fd)), id_(id) {}

  int fd() const { return fd_.get(); }
  std::uint32_t id() const { return id_; }

  /// Sends this request when the connection is up. No request is open.
  void request(std::string text);
  /// Goes on after an event, as far as it can without waiting.
  Step progress();

  bool connected() const { return connected_; }
  bool got_first_byte() const { return got_first_byte_; }
  bool busy() const { return busy_; }
  /// The server said that it closes after this answer.
  bool closing() const { return closing_; }
  std::uint32_t requests() const { return requests_; }
  Outcome outcome() const { return outcome_; }
  /// The head of the last answer, valid when progress() returned kAnswered.
  const HttpHead& answer() const { return answer_; }
  std::uint16_t status() const { return status_; }
  std::uint32_t wanted_events() const;

 private:
  bool finish_connecting();
  bool write_out();
  Step read_in();
  Step parse();
  Step fail(Outcome outcome);
  Step fail_by_errno(int error);

  UniqueFd fd_;
  std::uint32_t id_;
  std::string output_;
  std::string input_;
  HttpHead answer_;
  std::uint64_t body_left_ = 0;
  std::uint32_t requests_ = 0;
  std::uint16_t status_ = 0;
  bool connected_ = false;
  bool busy_ = false;
  bool got_first_byte_ = false;
  bool got_head_ = false;
  bool until_close_ = false;  ///< an answer without a length ends with the connection
  bool closing_ = false;
  Outcome outcome_ = Outcome::kPending;
};

}  // namespace flare::lab
