#include "held_flows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "e2e/lab.h"

namespace flare::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAtOnce = 200;  ///< handshakes
constexpr double kGreeting = 2;       ///< seconds

UniqueFd begin_connection(const Endpoint& endpoint) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_in6);
  if (endpoint.address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    v4->sin_addr.s_addr = endpoint.address.raw.word[3];
    length = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    std::memcpy(&v6->sin6_addr, endpoint.address.raw.word, 16);
  }
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw std::runtime_error("cannot make a socket");
  (void)::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length);
  return fd;
}

/// Calls `receive(flow)` for each flow with something to read until none is `waited` for, or the
/// time is over.
template <typename Flows, typename Waited, typename Receive>
void collect(Flows& flows, double seconds, Waited waited, Receive receive) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  std::vector<pollfd> items(flows.size());
  while (Clock::now() < end) {
    bool any = false;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const bool wait = waited(flows[i]);
      any = any || wait;
      items[i] = {.fd = wait ? flows[i].fd.get() : -1, .events = POLLIN, .revents = 0};
    }
    if (!any) return;
    ::poll(items.data(), items.size(), 50);
    for (std::size_t i = 0; i < flows.size(); ++i)
      if (items[i].revents != 0) receive(flows[i]);
  }
}

}  // namespace

std::size_t total(const Tally& tally) {
  std::size_t sum = 0;
  for (const auto& [tag, count] : tally) sum += count;
  return sum;
}

std::vector<HeldFlows::Flow> HeldFlows::dial(std::size_t count) const {
  std::vector<Flow> all;
  while (all.size() < count) {
    std::vector<Flow> some(std::min(kAtOnce, count - all.size()));
    {
      const NamespaceScope scope(network_namespace_);
      for (Flow& flow : some) flow.fd = begin_connection(endpoint_);
    }
    collect(
        some, kGreeting, [](const Flow& flow) { return flow.tag == '-' && !flow.broken; },
        [](Flow& flow) { flow.broken = ::recv(flow.fd.get(), &flow.tag, 1, 0) != 1; });
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

void HeldFlows::fill_up(std::size_t count) {
  if (flows_.size() >= count) return;
  for (Flow& flow : dial(count - flows_.size())) {
    if (flow.tag == '-') throw std::runtime_error("a new flow is not greeted");
    flows_.push_back(std::move(flow));
  }
}

Tally HeldFlows::renew(std::size_t count) {
  Tally tally;
  std::vector<Flow> fresh = dial(count);
  flows_.erase(flows_.begin(),
               flows_.begin() + static_cast<std::ptrdiff_t>(std::min(count, flows_.size())));
  for (Flow& flow : fresh) {
    ++tally[flow.tag];
    if (flow.tag != '-') flows_.push_back(std::move(flow));
  }
  return tally;
}

void HeldFlows::receive(Flow& flow) {
  std::array<char, 64> buffer;
  const ssize_t got = ::recv(flow.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    flow.broken = true;
    return;
  }
  for (ssize_t i = 0; i < got; ++i)
    flow.moved = flow.moved || buffer[static_cast<std::size_t>(i)] != flow.tag;
  flow.owed -= std::min(flow.owed, static_cast<std::size_t>(got));
}

Round HeldFlows::check(double seconds) {
  std::vector<Flow*> order;
  for (Flow& flow : flows_) order.push_back(&flow);
  std::shuffle(order.begin(), order.end(), random_);
  for (Flow* flow : order) {
    ++flow->owed;
    flow->broken = ::send(flow->fd.get(), "?", 1, MSG_NOSIGNAL) != 1;
  }
  collect(
      flows_, seconds,
      [](const Flow& flow) { return flow.owed > 0 && !flow.broken && !flow.moved; }, receive);
  Round round;
  for (const Flow& flow : flows_) {
    if (flow.moved)
      ++round.moved[flow.tag];
    else if (flow.broken)
      ++round.broken[flow.tag];
    else if (flow.owed > 0)
      ++round.silent[flow.tag];
    else
      ++round.answered;
  }
  std::erase_if(flows_, [](const Flow& flow) { return flow.moved || flow.broken; });
  return round;
}

std::size_t HeldFlows::of(char tag) const {
  return static_cast<std::size_t>(std::count_if(
      flows_.begin(), flows_.end(), [tag](const Flow& flow) { return flow.tag == tag; }));
}

}  // namespace flare::test
