#include "traffic.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

constexpr std::size_t kFlows = 48;
/// Under way at most, of a flow: all together fewer than a veth's queue holds (256).
constexpr std::uint64_t kUnderWay = 4;
constexpr std::uint64_t kAnswerEach = 32;
/// Seconds without an arrival: what was under way is lost. Processes here have waited for over 2.
constexpr double kGiveUp = 5;
constexpr double kRenewEach = 0.25;
constexpr double kFormer = 5;    ///< seconds for the last answers of a flow that was ended
constexpr double kLate = 0.005;  ///< of the schedule, which then begins anew
constexpr auto kNap = std::chrono::microseconds(50);
constexpr auto kArrival = std::chrono::milliseconds(1500);
constexpr std::uint64_t kClientTag = 1U << 16;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

/// On the wire, by both ends of one process.
struct SoakTraffic::Datagram {
  std::uint64_t number;  ///< in its window
  std::uint32_t window;
  std::uint32_t slot;
  std::uint32_t generation;  ///< how often the slot's flow was opened anew
  std::uint32_t is_answer;
  std::uint64_t check;

  std::uint64_t sum() const {
    return mixed(number ^ mixed(window ^ mixed((std::uint64_t{slot} << 32) + generation)));
  }
};

struct SoakTraffic::Window {
  std::atomic<std::uint64_t> sent = 0, received = 0, answered = 0, answers_received = 0;
  std::atomic<double> begun = 0;
  /// What has arrived, by number: the receiver's alone.
  std::vector<bool> seen, answers_seen;
};

struct SoakTraffic::Flow {
  UniqueFd fd;
  std::uint32_t generation = 0;
  std::uint64_t sent = 0, given_up = 0;
  double stuck_since = 0;
  std::atomic<std::uint64_t> received = 0;
  std::uint64_t place = ~0ULL;  ///< generation and sink of its first datagram: the receiver's alone
};

WindowCount& WindowCount::operator+=(const WindowCount& other) {
  sent += other.sent;
  received += other.received;
  answered += other.answered;
  answers_received += other.answers_received;
  seconds += other.seconds;
  return *this;
}

SoakTraffic::SoakTraffic(TrafficPlan plan)
    : plan_(std::move(plan)), by_sink_(plan_.sinks.size()), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (std::size_t i = 0; i < plan_.windows_max; ++i)
    windows_.push_back(std::make_unique<Window>());
  windows_[0]->begun = now();
  for (const SoakSink& sink : plan_.sinks) {
    sinks_.push_back(udp_server(sink.network_namespace, sink.endpoint));
    watch(sinks_.back().get(), sinks_.size() - 1);
  }
  for (std::size_t slot = 0; slot < kFlows; ++slot) {
    flows_.push_back(std::make_unique<Flow>());
    renew(slot);
  }
  receiver_ = std::thread([this] { receive_all(); });
  sender_ = std::thread([this] { send_all(); });
}

SoakTraffic::~SoakTraffic() {
  stop_ = true;
  sender_.join();
  receiver_.join();
}

void SoakTraffic::watch(int fd, std::uint64_t tag) const {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw std::runtime_error("cannot watch a socket");
}

std::size_t SoakTraffic::open_window() {
  const std::size_t next = window_ + 1;
  if (next == windows_.size()) throw std::runtime_error("too many windows");
  windows_[next]->begun = now();
  return window_ = next;
}

WindowCount SoakTraffic::count(std::size_t window) const {
  const auto until = std::chrono::steady_clock::now() + kArrival;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  } while (std::chrono::steady_clock::now() < until && count_now(window).lost() != 0);
  return count_now(window);
}

WindowCount SoakTraffic::count_now(std::size_t window) const {
  const Window& one = *windows_.at(window);
  return {one.sent, one.received, one.answered, one.answers_received,
          windows_.at(window + 1)->begun - one.begun};
}

std::vector<std::uint64_t> SoakTraffic::by_sink() const {
  return {by_sink_.begin(), by_sink_.end()};
}

/// The former socket stays for a while, for the answers that are under way.
void SoakTraffic::renew(std::size_t slot) {
  Flow& flow = *flows_[slot];
  const double moment = now();
  std::erase_if(former_, [moment](const auto& one) { return one.first < moment - kFormer; });
  if (flow.fd) former_.emplace_back(moment, std::move(flow.fd));
  auto socket = connect_from(plan_.client, plan_.frontend, Protocol::kUdp);
  if (!socket) throw std::runtime_error("cannot make a socket for a flow");
  flow.fd = *std::move(socket);
  ++flow.generation;
  ++flows_opened_;
  watch(flow.fd.get(), kClientTag + static_cast<std::uint64_t>(flow.fd.get()));
}

void SoakTraffic::send_some(std::size_t slot, std::size_t count) {
  Flow& flow = *flows_[slot];
  const std::size_t window = window_;
  Window& current = *windows_[window];
  std::array<Datagram, kUnderWay> datagrams;
  std::array<iovec, kUnderWay> vectors;
  std::array<mmsghdr, kUnderWay> messages{};
  for (std::size_t i = 0; i < count; ++i) {
    datagrams[i] = {current.sent + i,
                    static_cast<std::uint32_t>(window),
                    static_cast<std::uint32_t>(slot),
                    flow.generation,
                    0,
                    0};
    datagrams[i].check = datagrams[i].sum();
    vectors[i] = {&datagrams[i], sizeof datagrams[i]};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  // An error is of an earlier datagram (ICMP): nothing was sent then.
  const int sent =
      ::sendmmsg(flow.fd.get(), messages.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
  if (sent <= 0) return;
  current.sent += static_cast<std::uint64_t>(sent);
  flow.sent += static_cast<std::uint64_t>(sent);
}

void SoakTraffic::send_all() {
  double due = now();
  double renewed = due;
  std::size_t to_renew = kFlows / 2;
  std::size_t slot = 0;
  while (!stop_) {
    const double moment = now();
    if (moment > renewed + kRenewEach) {
      renewed = moment;
      renew(to_renew);
      to_renew = to_renew + 1 == kFlows ? kFlows / 2 : to_renew + 1;
    }
    if (due < moment - kLate) due = moment - kLate;
    bool was_sent = false;
    for (std::size_t i = 0; i < kFlows && due < moment; ++i) {
      slot = (slot + 1) % kFlows;
      Flow& flow = *flows_[slot];
      const std::uint64_t received = flow.received;
      flow.given_up = std::min(flow.given_up, flow.sent - received);
      const std::uint64_t under_way = flow.sent - received - flow.given_up;
      if (under_way < kUnderWay) {
        const std::uint64_t before = flow.sent;
        send_some(slot, kUnderWay - under_way);
        due += static_cast<double>(flow.sent - before) / plan_.rate;
        was_sent = was_sent || flow.sent != before;
        flow.stuck_since = moment;
      } else if (moment > flow.stuck_since + kGiveUp) {
        flow.given_up = flow.sent - received;
      }
    }
    if (!was_sent || due >= moment) std::this_thread::sleep_for(kNap);
  }
}

/// Whether a datagram is as it was sent, and new. Counts it.
bool SoakTraffic::take(const Datagram& datagram, std::size_t length, bool as_answer) {
  if (length != sizeof datagram || datagram.check != datagram.sum() || datagram.window > window_ ||
      datagram.slot >= kFlows || (datagram.is_answer != 0) != as_answer) {
    ++corrupt_;
    return false;
  }
  Window& window = *windows_[datagram.window];
  std::vector<bool>& seen = as_answer ? window.answers_seen : window.seen;
  const std::size_t place = as_answer ? datagram.number / kAnswerEach : datagram.number;
  if (place >= seen.size()) seen.resize(std::max(place + 1, 2 * seen.size()));
  if (seen[place]) {
    ++repeated_;
    return false;
  }
  seen[place] = true;
  ++(as_answer ? window.answers_received : window.received);
  return true;
}

/// All datagrams of a flow reach one backend.
void SoakTraffic::note_place(const Datagram& datagram, std::size_t sink) {
  Flow& flow = *flows_[datagram.slot];
  ++flow.received;
  ++by_sink_[sink];
  const std::uint64_t place = (std::uint64_t{datagram.generation} << 8) + sink;
  if (flow.place == ~0ULL || flow.place >> 8 < datagram.generation) flow.place = place;
  if (flow.place >> 8 == datagram.generation && flow.place != place) ++moved_;
}

void SoakTraffic::take_at_sink(std::size_t sink) {
  constexpr std::size_t kBatch = 64;
  std::array<Datagram, kBatch> datagrams;
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> messages{};
  std::array<sockaddr_storage, kBatch> from;
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {&datagrams[i], sizeof datagrams[i]};
    messages[i].msg_hdr = {.msg_name = &from[i],
                           .msg_namelen = sizeof from[i],
                           .msg_iov = &vectors[i],
                           .msg_iovlen = 1,
                           .msg_control = nullptr,
                           .msg_controllen = 0,
                           .msg_flags = 0};
  }
  const int fd = sinks_[sink].get();
  const int got = ::recvmmsg(fd, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  for (std::size_t i = 0; got > 0 && i < static_cast<std::size_t>(got); ++i) {
    Datagram& datagram = datagrams[i];
    if (!take(datagram, messages[i].msg_len, false)) continue;
    note_place(datagram, sink);
    if (datagram.number % kAnswerEach != 0) continue;
    datagram.is_answer = 1;
    if (::sendto(fd, &datagram, sizeof datagram, 0, reinterpret_cast<sockaddr*>(&from[i]),
                 messages[i].msg_hdr.msg_namelen) == sizeof datagram)
      ++windows_[datagram.window]->answered;
  }
}

void SoakTraffic::take_at_client(int fd) {
  Datagram datagram{};
  const ssize_t got = ::recv(fd, &datagram, sizeof datagram, MSG_DONTWAIT);
  if (got >= 0) take(datagram, static_cast<std::size_t>(got), true);
}

void SoakTraffic::receive_all() {
  std::array<epoll_event, 64> events;
  while (!stop_) {
    const int ready =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 50);
    for (int i = 0; i < ready; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag < kClientTag)
        take_at_sink(tag);
      else
        take_at_client(static_cast<int>(tag - kClientTag));
    }
  }
}

}  // namespace flare::test
