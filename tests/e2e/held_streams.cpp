#include "e2e/held_streams.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "e2e/lab.h"
#include "e2e/peers.h"

namespace flare::test {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A message of 64 to 1,087 bytes that no other connection or round has.
std::string message(std::size_t stream, std::uint64_t round) {
  std::string out = std::to_string(stream) + "/" + std::to_string(round) + ":";
  const std::size_t length = 64 + (stream * 31 + round * 17) % 1024;
  while (out.size() < length) out.push_back(static_cast<char>('a' + (out.size() * 7 + round) % 26));
  return out;
}

}  // namespace

HeldStreams::HeldStreams(const std::string& network_namespace, const std::string& endpoint,
                         std::size_t count, double pause)
    : pause_(pause) {
  for (std::size_t i = 0; i < count; ++i) {
    auto socket = connect_from(network_namespace, endpoint, Protocol::kTcp);
    if (!socket) continue;
    Stream stream;
    stream.fd = *std::move(socket);
    pollfd item{.fd = stream.fd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, 5000) == 1) (void)!::recv(stream.fd.get(), &stream.tag, 1, 0);
    streams_.push_back(std::move(stream));
  }
  thread_ = std::thread([this] { exchange(); });
}

std::size_t HeldStreams::greeted_by(char tag) const {
  return static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(),
                                                [tag](const Stream& s) { return s.tag == tag; }));
}

bool HeldStreams::all_answer(double seconds) {
  answered_ = 0;
  ++lap_;
  return wait_for([this] { return answered_ == streams_.size(); }, seconds);
}

void HeldStreams::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void HeldStreams::send_next(std::size_t index) {
  Stream& stream = streams_[index];
  stream.expected = message(index, stream.round++);
  stream.received = 0;
  stream.sent_in = lap_;
  stream.sent_at = now();
  const ssize_t sent =
      ::send(stream.fd.get(), stream.expected.data(), stream.expected.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(stream.expected.size())) return;
  stream.failed = true;  // the socket's buffer holds one message easily
  ++resets_;
}

void HeldStreams::receive(Stream& stream) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::recv(stream.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    stream.failed = true;
    ++resets_;
    return;
  }
  const auto n = static_cast<std::size_t>(got);
  if (stream.received + n > stream.expected.size() ||
      std::memcmp(stream.expected.data() + stream.received, buffer.data(), n) != 0) {
    stream.failed = true;
    ++corrupt_;
    return;
  }
  stream.received += n;
}

void HeldStreams::count_lap(Stream& stream) {
  const std::uint64_t lap = lap_;
  if (stream.sent_in != lap || stream.counted_in == lap) return;
  stream.counted_in = lap;
  ++answered_;
}

void HeldStreams::exchange() {
  std::vector<pollfd> items(streams_.size());
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    items[i] = {.fd = streams_[i].fd.get(), .events = POLLIN, .revents = 0};
    send_next(i);
  }
  while (!stop_) {
    if (pause_ > 0) std::this_thread::sleep_for(std::chrono::duration<double>(pause_));
    ::poll(items.data(), items.size(), 50);
    const double moment = now();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      Stream& stream = streams_[i];
      if (stream.failed) continue;
      longest_wait_ = std::max(longest_wait_.load(), moment - stream.sent_at);
      if (items[i].revents == 0) continue;
      receive(stream);
      if (stream.failed) {
        items[i].fd = -1;
      } else if (stream.received == stream.expected.size()) {
        ++exchanges_;
        count_lap(stream);
        send_next(i);
      }
    }
  }
}

}  // namespace flare::test
