#include "e2e/stream/packet_stream.h"

#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "stream_flow.h"
#include "stream_sink.skel.h"

namespace flare::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBurst = 32;
constexpr std::uint64_t kWindow = 128;  ///< a veth with XDP queues 256
constexpr std::chrono::milliseconds kPatience{500};
constexpr int kFirstPort = 20'000;

std::runtime_error failure(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

std::string mac_of(const std::string& network_namespace, const char* device) {
  const NamespaceScope scope(network_namespace);
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  if (::ioctl(any.get(), SIOCGIFHWADDR, &request) != 0) throw failure("cannot read an address");
  std::array<char, 18> text{};
  const auto byte = [&request](int i) {
    return static_cast<unsigned>(static_cast<unsigned char>(request.ifr_hwaddr.sa_data[i]));
  };
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", byte(0), byte(1),
                byte(2), byte(3), byte(4), byte(5));
  return text.data();
}

std::string payload(std::uint32_t flow, bool reply) {
  const stream_mark mark{STREAM_MAGIC, flow, reply ? 1U : 0U};
  const auto bytes = std::bit_cast<std::array<char, sizeof(mark)>>(mark);
  return {bytes.begin(), bytes.end()};
}

/// "[address]:port" of either family.
std::string endpoint(const std::string& host, int port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace

void expect_nothing_lost(const StreamCount& count) {
  testing::Test::RecordProperty("packets", std::to_string(count.sent));
  testing::Test::RecordProperty("lost", std::to_string(count.lost));
  testing::Test::RecordProperty("moved", std::to_string(count.moved));
  EXPECT_EQ(count.lost, 0U) << "of " << count.sent;
  EXPECT_EQ(count.moved, 0U) << "a flow keeps its backend and its port";
}

struct PacketStream::Sink {
  explicit Sink(unsigned ifindex) : skeleton(stream_sink::open_and_load()) {
    if (skeleton == nullptr) throw failure("cannot load the far end of a stream");
    const int program = bpf_program__fd(skeleton->progs.stream_sink);
    if (bpf_xdp_attach(static_cast<int>(ifindex), program, XDP_FLAGS_DRV_MODE, nullptr) != 0)
      throw failure("cannot attach the far end of a stream");
  }
  ~Sink() { stream_sink::destroy(skeleton); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  std::uint64_t seen() const { return std::atomic_ref(skeleton->bss->stream_seen).load(); }
  std::uint64_t replies() const { return std::atomic_ref(skeleton->bss->stream_replies).load(); }
  std::uint64_t moved() const { return std::atomic_ref(skeleton->bss->stream_moved).load(); }

  stream_sink* skeleton;
};

PacketStream::PacketStream(const Lab& lab, const std::string& client, const std::string& frontend,
                           std::uint32_t flows)
    : router_(lab.name("router")), vm_mac_(mac_of(lab.name("vm"), "eth0")), client_(client) {
  const std::string router_mac = mac_of(router_, "to-vm");
  // Neighbours that are known for good: resolving one anew is not what is counted here.
  lab.in("vm", "ip neigh replace 198.51.100.1 lladdr " + router_mac + " dev eth0 nud permanent");
  lab.in("vm", "ip neigh replace 2001:db8:2::1 lladdr " + router_mac + " dev eth0 nud permanent");
  const NamespaceScope scope(router_);
  const unsigned ifindex = ::if_nametoindex("to-vm");
  sink_ = std::make_unique<Sink>(ifindex);
  socket_ = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(ifindex);
  if (!socket_ ||
      ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw failure("cannot open a packet socket");
  const bool v6 = client.find(':') != std::string::npos;
  backend_host_ = v6 ? "2001:db8:3::10" : "203.0.113.10";
  vm_host_ = v6 ? "2001:db8:2::10" : "198.51.100.10";
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    Packet packet =
        udp(endpoint(client, kFirstPort + static_cast<int>(flow)), frontend, payload(flow, false));
    packet.dst_mac = vm_mac_;
    packet.src_mac = router_mac;
    frames_.push_back(packet.bytes());
  }
  settle();
}

PacketStream::~PacketStream() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void PacketStream::send_one(const Bytes& frame) const {
  if (::send(socket_.get(), frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size()))
    throw failure("cannot send a frame");
}

/// As the backend would answer the flow: to the port of ours that the flow came from.
Bytes PacketStream::reply_to(std::uint32_t flow) const {
  const std::uint32_t way = sink_->skeleton->bss->stream_flows[flow].way;
  Packet packet = udp(endpoint(backend_host_, static_cast<int>(way & 0xffff)),
                      endpoint(vm_host_, static_cast<int>(way >> 16)), payload(flow, true));
  packet.dst_mac = vm_mac_;
  return packet.bytes();
}

void PacketStream::settle() {
  for (std::uint32_t flow = 0; flow < frames_.size(); ++flow) {
    send_one(frames_[flow]);
    ++sent_;
    if (!wait_for([this] { return sink_->seen() == sent_; }, 2))
      throw std::runtime_error("flow " + std::to_string(flow) + " of a stream did not come back");
    send_one(reply_to(flow));
    if (!wait_for([this, flow] { return sink_->replies() == flow + 1; }, 2))
      throw std::runtime_error("a reply to flow " + std::to_string(flow) + " did not come back");
  }
}

/// False where what is under way does not become less for so long that it must be lost.
bool PacketStream::await_room(std::uint64_t under_way_max) {
  std::uint64_t seen = sink_->seen();
  auto give_up = Clock::now() + kPatience;
  while (sent_ - seen - lost_before_ > under_way_max) {
    std::this_thread::yield();
    const std::uint64_t now = sink_->seen();
    if (now != seen) give_up = Clock::now() + kPatience;
    if (now == seen && Clock::now() > give_up) {
      lost_before_ = sent_ - seen;
      return false;
    }
    seen = now;
  }
  return true;
}

void PacketStream::run(double rate) {
  std::array<mmsghdr, kBurst> messages{};
  std::array<iovec, kBurst> parts{};
  std::size_t next = 0;
  const auto begun = Clock::now();
  const std::uint64_t sent_before = sent_;
  while (!stop_) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      Bytes& frame = frames_[next++ % frames_.size()];
      parts[i] = {frame.data(), frame.size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int count = ::sendmmsg(socket_.get(), messages.data(), kBurst, 0);
    if (count > 0) sent_ += static_cast<std::uint64_t>(count);
    static_cast<void>(await_room(kWindow - kBurst));
    if (rate <= 0) continue;
    const std::chrono::duration<double> due(static_cast<double>(sent_ - sent_before) / rate);
    std::this_thread::sleep_until(begun + std::chrono::duration_cast<Clock::duration>(due));
  }
}

void PacketStream::start(double rate) {
  thread_ = std::thread([this, rate] { run(rate); });
}

StreamCount PacketStream::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  static_cast<void>(await_room(0));
  return {sent_, sent_ - sink_->seen(), sink_->moved(), sink_->replies()};
}

}  // namespace flare::test
