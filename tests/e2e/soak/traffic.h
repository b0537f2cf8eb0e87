// Datagrams through the lab at a steady rate, each of them counted by the window that it was sent
// in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace flare::test {

struct SoakSink {
  std::string network_namespace, endpoint;
};

struct TrafficPlan {
  std::string client;             ///< its namespace
  std::string frontend;           ///< a UDP service
  std::vector<SoakSink> sinks;    ///< all backends that a datagram may reach
  double rate = 200'000;          ///< datagrams a second, at most
  std::size_t windows_max = 512;  ///< that will be opened
};

/// What became of the datagrams of one window. Every 32nd is answered, and its answer counted
/// alike.
struct WindowCount {
  std::uint64_t sent = 0, received = 0, answered = 0, answers_received = 0;
  double seconds = 0;  ///< from its opening to the next one's

  std::uint64_t lost() const { return sent - received + answered - answers_received; }
  WindowCount& operator+=(const WindowCount& other);
};

/// A sender and a receiver. Of its flows half live as long as this does; of the others one is
/// opened anew each quarter second. A flow has few datagrams under way, so that no queue between
/// the ends overflows: what is lost, something dropped. A flow that stays without any goes on after
/// five seconds.
class SoakTraffic {
 public:
  explicit SoakTraffic(TrafficPlan plan);
  ~SoakTraffic();
  SoakTraffic(const SoakTraffic&) = delete;
  SoakTraffic& operator=(const SoakTraffic&) = delete;

  /// What is sent from now on belongs to a new window; returns its number.
  std::size_t open_window();
  /// Of a window that is over: waits until what was under way has arrived.
  WindowCount count(std::size_t window) const;
  /// The same without waiting.
  WindowCount count_now(std::size_t window) const;

  std::uint64_t flows() const { return flows_opened_; }
  std::uint64_t moved() const {
    return moved_;
  }  ///< datagrams at another backend than their flow's
  std::uint64_t repeated() const { return repeated_; }  ///< that arrived twice
  std::uint64_t corrupt() const { return corrupt_; }    ///< with other bytes than were sent
  /// Datagrams that each sink has received.
  std::vector<std::uint64_t> by_sink() const;

 private:
  struct Window;
  struct Flow;
  struct Datagram;

  void send_all();
  void send_some(std::size_t slot, std::size_t count);
  void renew(std::size_t slot);
  void watch(int fd, std::uint64_t tag) const;
  void receive_all();
  void take_at_sink(std::size_t sink);
  void take_at_client(int fd);
  bool take(const Datagram& datagram, std::size_t length, bool as_answer);
  void note_place(const Datagram& datagram, std::size_t sink);

  TrafficPlan plan_;
  std::vector<std::unique_ptr<Window>> windows_;
  std::atomic<std::size_t> window_ = 0;  ///< that is sent in
  std::vector<std::unique_ptr<Flow>> flows_;
  std::vector<std::pair<double, UniqueFd>> former_;  ///< sockets of flows that were opened anew
  std::vector<UniqueFd> sinks_;
  std::vector<std::atomic<std::uint64_t>> by_sink_;
  UniqueFd epoll_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> flows_opened_ = 0, moved_ = 0, repeated_ = 0, corrupt_ = 0;
  std::thread receiver_, sender_;
};

}  // namespace flare::test
