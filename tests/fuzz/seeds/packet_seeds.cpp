// Writes inputs of the datapath's fuzz targets: from the packet fixtures, for each row, family and
// placement, the packets that bring its state about, then its packet; and conversations.
// flare_fuzz_seeds FOLDER
#include <arpa/inet.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "bpf/packet_case.h"
#include "fuzz/datapath/input.h"
#include "seeds/conversation_seeds.h"
#include "select.bpf.h"

namespace flare::test {
namespace {

constexpr __u64 kHashKey[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/// The first bytes of an input; datapath/world.cpp reads them.
Bytes setup_of(const PacketCase& row, Stand stand) {
  Bytes setup(fuzz::kSetupBytes, 0);
  flare_service service{};
  service.share = stand == Stand::kReceiver ? FLARE_SHARE_ONE : 0;
  service.hour_budget = 1'000'000;
  if (row.given == Given::kVmTcp) service.share = 0;
  if (row.adjust) row.adjust(service);
  setup[0] = stand == Stand::kReceiver ? FLARE_PLACEMENT_RECEIVER
             : stand == Stand::kBalancerPlain
                 ? FLARE_PLACEMENT_BALANCER | FLARE_SNAT_NEVER << 2 | 0x20
                 : FLARE_PLACEMENT_BALANCER;
  setup[1] = static_cast<std::uint8_t>(static_cast<int>(row.path) | service.overload << 5);
  setup[2] = service.share == FLARE_SHARE_ONE ? 0 : service.share == 0 ? 1 : 2;
  setup[5] = service.hour_budget == 0 ? 1 : 0;
  setup[9] = 2;  // as many NAT addresses
  return setup;
}

void add_frame(Bytes& input, const Bytes& frame) {
  input.insert(input.end(), {fuzz::kStepRaw, 0, static_cast<std::uint8_t>(frame.size()),
                             static_cast<std::uint8_t>(frame.size() >> 8)});
  input.insert(input.end(), frame.begin(), frame.end());
}

/// What the datapath gives the client's flow: its own address, or the first port that the hash
/// tries.
void find_nat(Scene& scene, Stand stand, Protocol protocol) {
  scene.nat_ip = scene.client_ip();
  scene.nat_port = 40000;
  if (stand == Stand::kBalancerPlain) return;
  flare_flow_key key{};
  key.src = raw_addr(scene.client_ip());
  key.dst = raw_addr(scene.host_ip());
  key.sport = htons(40000);
  key.dport = htons(protocol == Protocol::kTcp ? 80 : 53);
  key.proto = static_cast<std::uint8_t>(protocol);
  const std::uint64_t hash = flow_hash(&key, kHashKey);
  scene.nat_ip = static_cast<std::uint32_t>(hash) % 2 == 0 ? scene.host_ip() : scene.other_nat_ip();
  scene.nat_port = nat_port(hash, 0, DatapathTest::kNatMin, DatapathTest::kNatMax);
}

/// As ReceiverTest::bring_about().
void bring_about(Bytes& input, const Scene& scene, Given given) {
  if (given == Given::kNothing) return;
  if (given == Given::kSpilledUdp || given == Given::kFirstFragment) {
    const Packet datagram = scene.datagram();
    add_frame(input, given == Given::kSpilledUdp ? datagram.bytes()
                                                 : Scene::first_fragment(datagram).bytes());
    add_frame(input, scene.reply_datagram().bytes());
    return;
  }
  add_frame(input, scene.segment().bytes());
  if (given == Given::kVmTcp || given == Given::kSpilledSyn) return;
  add_frame(input, scene.reply_segment(TcpFlags::kSyn | TcpFlags::kAck).bytes());
  add_frame(input, scene.segment(TcpFlags::kAck).bytes());
  if (given == Given::kResetTcp) {
    add_frame(input, scene.reply_segment(TcpFlags::kRst).bytes());
  } else if (given == Given::kClosedTcp) {
    add_frame(input, scene.segment(TcpFlags::kFin | TcpFlags::kAck).bytes());
    add_frame(input, scene.reply_segment(TcpFlags::kFin | TcpFlags::kAck).bytes());
  }
}

Bytes input_of(const PacketCase& row, Family family, Stand stand) {
  Bytes input = setup_of(row, stand);
  Scene scene;
  scene.family = family;
  scene.path = row.path;
  const bool udp = row.given == Given::kSpilledUdp || row.given == Given::kFirstFragment;
  find_nat(scene, stand, udp ? Protocol::kUdp : Protocol::kTcp);
  bring_about(input, scene, row.given);
  add_frame(input, row.frame(scene));
  return input;
}

void write(const std::filesystem::path& file, const Bytes& input) {
  std::ofstream to(file, std::ios::binary);
  to.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
  if (!to.flush()) throw std::runtime_error("cannot write " + file.string());
}

unsigned write_all(const std::filesystem::path& folder) {
  unsigned number = 0;
  std::filesystem::create_directories(folder);
  for (const PacketCase& row : all_packet_cases())
    for (const Family family : {Family::kV4, Family::kV6})
      for (const Stand stand : {Stand::kReceiver, Stand::kBalancer, Stand::kBalancerPlain})
        if (row.runs_in(family))
          write(folder / ("fixture-" + std::to_string(number++)), input_of(row, family, stand));
  for (const Bytes& input : conversations())
    write(folder / ("conversation-" + std::to_string(number++)), input);
  return number;
}

}  // namespace
}  // namespace flare::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  try {
    std::printf("%u inputs\n", flare::test::write_all(argv[1]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
