// A set of TCP connections that are held open and keep exchanging data, every byte checked.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace flare::test {

class HeldStreams {
 public:
  /// Opens `count` connections and starts exchanging. Fewer may have connected: see size(). All of
  /// them rest for `pause` seconds between two messages.
  HeldStreams(const std::string& network_namespace, const std::string& endpoint, std::size_t count,
              double pause = 0);
  ~HeldStreams() { stop(); }
  HeldStreams(const HeldStreams&) = delete;
  HeldStreams& operator=(const HeldStreams&) = delete;

  std::size_t size() const { return streams_.size(); }
  /// How many were greeted by the server with this tag.
  std::size_t greeted_by(char tag) const;
  /// Whether every connection gets back a message that it sends after this call, within `seconds`.
  bool all_answer(double seconds = 10);
  /// Ends the exchange; the figures below are then final.
  void stop();

  std::uint64_t exchanges() const { return exchanges_; }  ///< messages that came back unchanged
  std::uint64_t resets() const { return resets_; }        ///< connections that ended early
  std::uint64_t corrupt() const { return corrupt_; }      ///< messages that came back changed
  /// The longest time that one connection waited for its message, seconds.
  double longest_wait() const { return longest_wait_; }

 private:
  struct Stream {
    UniqueFd fd;
    char tag = '-';
    bool failed = false;
    std::uint64_t round = 0;
    std::string expected;
    std::size_t received = 0;
    double sent_at = 0;
    std::uint64_t sent_in = 0, counted_in = 0;  ///< laps: of its message, of its last answer
  };
  void exchange();
  void send_next(std::size_t index);
  void receive(Stream& stream);
  void count_lap(Stream& stream);

  double pause_;
  std::vector<Stream> streams_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> lap_ = 0;     ///< calls of all_answer()
  std::atomic<std::size_t> answered_ = 0;  ///< in this lap
  std::atomic<std::uint64_t> exchanges_ = 0, resets_ = 0, corrupt_ = 0;
  std::atomic<double> longest_wait_ = 0;
  std::thread thread_;
};

}  // namespace flare::test
