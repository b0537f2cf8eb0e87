// A client without a library for the tests of the backend: sends a text, keeps all that comes back.
#pragma once

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "common/socket.h"
#include "loop/event_loop.h"
#include "model/address.h"

namespace flare::lab {

/// One connection: sends `text`, closes its half, and reads until the server closes the other.
class Asker {
 public:
  Asker(const Endpoint& target, std::string text) : unsent_(std::move(text)) {
    int failed = 0;
    fd_ = connect_to(target, std::nullopt, failed);
    EXPECT_EQ(failed, 0);
  }

  /// Goes on as far as it can without waiting. True: the server has closed.
  bool progress() {
    if (!unsent_.empty()) {
      const ssize_t sent = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
      if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
      if (unsent_.empty()) ::shutdown(fd_.get(), SHUT_WR);
    }
    char buffer[4096];
    ssize_t got = 1;
    while (got > 0) {
      got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
      if (got > 0) answer_.append(buffer, static_cast<std::size_t>(got));
    }
    return got == 0 && unsent_.empty();
  }

  const std::string& answer() const { return answer_; }
  UniqueFd socket() && { return std::move(fd_); }

 private:
  UniqueFd fd_;
  std::string unsent_;
  std::string answer_;
};

/// An answer, and how long after all were asked it was there.
struct Told {
  std::string text;
  double after_ms = 0;

  /// The value of the header field of that name; empty where there is none.
  std::string field(const std::string& name) const {
    const auto at = text.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto from = at + name.size() + 4;
    return text.substr(from, text.find("\r\n", from) - from);
  }
};

/// Asks `target` each of `texts` on a connection of its own, all at once, and turns `loop` until
/// the server has closed them all.
inline std::vector<Told> ask_all(EventLoop& loop, const Endpoint& target,
                                 const std::vector<std::string>& texts) {
  const MonotonicClock clock;
  const std::uint64_t start_ns = clock.now_ns();
  std::vector<Asker> askers;
  for (const std::string& text : texts) askers.emplace_back(target, text);
  std::vector<std::optional<Told>> told(texts.size());
  std::size_t left = texts.size();
  while (left > 0 && clock.now_ns() - start_ns < 10'000'000'000) {
    for (std::size_t at = 0; at < askers.size(); ++at) {
      if (told[at] || !askers[at].progress()) continue;
      told[at] = {askers[at].answer(), static_cast<double>(clock.now_ns() - start_ns) / 1e6};
      --left;
    }
    EXPECT_TRUE(loop.turn(1));
  }
  EXPECT_EQ(left, 0U) << "the server neither answered nor closed";
  std::vector<Told> all;
  for (const auto& one : told) all.push_back(one.value_or(Told{}));
  return all;
}

}  // namespace flare::lab
