// What is not ours, what stays with the VM tier, what may not spill, and the ways out.
#include "packet_case.h"

namespace flare::test {
namespace {

const Make kSynPacket = [](const Scene& scene) { return scene.segment(); };
const Make kDatagram = [](const Scene& scene) { return scene.datagram(); };

void add_not_ours(PacketCases& rows) {
  const auto row = [&](const char* what, const char* reason, Make make) {
    rows.push_back(passes("not ours", what, reason, std::move(make)));
  };
  row("SYN to another port", "not-service",
      [](const Scene& scene) { return tcp(scene.client(), scene.at(scene.host_ip(), 81)); });
  row("SYN to another address", "not-service",
      [](const Scene& scene) { return tcp(scene.client(), scene.at(scene.stranger_ip(), 80)); });
  row("datagram to the TCP service's port", "not-service",
      [](const Scene& scene) { return udp(scene.client(), scene.frontend(Protocol::kTcp)); });
  row("martian source, not to a service", "not-service", [](const Scene& scene) {
    return tcp(scene.v4() ? "127.0.0.1:1" : "[::1]:1", scene.at(scene.host_ip(), 81));
  });
  for (const std::uint8_t protocol : {std::uint8_t{2}, std::uint8_t{47}, std::uint8_t{132}})
    row(("IP protocol " + std::to_string(protocol)).c_str(), "not-transport",
        [protocol](const Scene& scene) {
          Packet packet = scene.segment();
          packet.protocol = protocol;
          packet.payload = Bytes(24, 1);
          return packet;
        });
}

void add_vm_tier(PacketCases& rows) {
  const auto no_share = [](flare_service& service) { service.share = 0; };
  PacketCase row = passes("VM tier", "SYN, share 0", "vm-new", kSynPacket);
  row.adjust = no_share;
  rows.push_back(row);
  row = passes("VM tier", "datagram, share 0", "vm-new", kDatagram);
  row.adjust = no_share;
  rows.push_back(row);
  rows.push_back(passes("VM tier", "SYN sent again, whatever the share is by now", "vm-known",
                        kSynPacket, Given::kVmTcp));
  rows.push_back(passes(
      "VM tier", "ACK of a flow of the VM tier", "vm-known",
      [](const Scene& scene) { return scene.segment(TcpFlags::kAck); }, Given::kVmTcp));
  row = passes("VM tier", "SYN, policy observe", "vm-observed", kSynPacket);
  row.adjust = [](flare_service& service) { service.policy = FLARE_POLICY_OBSERVE; };
  rows.push_back(row);
}

void no_budget(flare_service& service) { service.hour_budget = 0; }

void add_overload(PacketCases& rows) {
  PacketCase row =
      passes("overload", "SYN, may not spill, overload: vm", "vm-overload", kSynPacket);
  row.adjust = no_budget;
  rows.push_back(row);
  row = answers(
      "overload", "SYN, may not spill, overload: reject: TCP reset", "overload-reject",
      Given::kNothing,
      [](const Scene& scene) {
        Packet packet = scene.segment();
        packet.tcp_options = {2, 4, 5, 180, 1, 3, 3, 7};
        packet.frame_padding = 3;
        return packet;
      },
      [](const Scene& scene, const Packet& packet) { return scene.reset(packet); });
  row.adjust = [](flare_service& service) {
    no_budget(service);
    service.overload = FLARE_OVERLOAD_REJECT;
  };
  rows.push_back(row);
  const auto reject = row.adjust;
  row = answers(
      "overload", "SYN with payload, overload: reject: TCP reset that covers it", "overload-reject",
      Given::kNothing,
      [](const Scene& scene) {
        Packet packet = scene.segment();
        packet.payload = to_bytes("fast open");
        return packet;
      },
      [](const Scene& scene, const Packet& packet) { return scene.reset(packet); });
  row.adjust = reject;
  rows.push_back(row);
  row = answers("overload", "datagram, overload: reject: ICMP port unreachable", "overload-reject",
                Given::kNothing, kDatagram, [](const Scene& scene, const Packet& packet) {
                  return scene.port_unreachable(packet);
                });
  row.adjust = reject;
  rows.push_back(row);
  row = passes("overload", "SYN, may not spill, overload: drop", "overload-drop", kSynPacket);
  row.adjust = [](flare_service& service) {
    no_budget(service);
    service.overload = FLARE_OVERLOAD_DROP;
  };
  rows.push_back(row);
}

PacketCase on(Path path, PacketCase row) {
  row.path = path;
  return row;
}

Packet large(Packet packet) {
  packet.payload = Bytes(1300, 'x');
  return packet;
}

void add_too_big(PacketCases& rows) {
  const auto answer = [](const Scene& scene, const Packet& packet) {
    return scene.too_big(packet);
  };
  rows.push_back(
      on(Path::kSmallMtu, spills("way out", "smaller path MTU, packet that fits", kSynPacket)));
  rows.push_back(on(Path::kSmallMtu, follows("way out", "smaller path MTU, packet that just fits",
                                             Given::kSpilledTcp, [](const Scene& scene) {
                                               Packet packet = scene.segment(TcpFlags::kAck);
                                               packet.payload =
                                                   Bytes(kSmallMtu - (scene.v4() ? 40U : 60U), 'x');
                                               return packet;
                                             })));
  rows.push_back(on(Path::kSmallMtu,
                    answers(
                        "way out", "smaller path MTU, one byte too many: ICMP with the MTU",
                        "too-big", Given::kSpilledTcp,
                        [](const Scene& scene) {
                          Packet packet = scene.segment(TcpFlags::kAck);
                          packet.payload = Bytes(kSmallMtu + 1U - (scene.v4() ? 40U : 60U), 'x');
                          return packet;
                        },
                        answer)));
  rows.push_back(on(
      Path::kSmallMtu,
      answers(
          "way out", "smaller path MTU, large datagram: ICMP with the MTU", "too-big",
          Given::kSpilledUdp, [](const Scene& scene) { return large(scene.datagram()); }, answer)));
}

void add_ways_out(PacketCases& rows) {
  const auto punted = [&](Path path, const char* what, const char* xdp_reason) {
    PacketCase row = on(path, spills("way out", std::string(what) + ", new flow", kSynPacket));
    row.tc_reason = row.reason;
    row.reason = xdp_reason;
    rows.push_back(row);
    row = on(path, follows("way out", std::string(what) + ", established flow", Given::kSpilledTcp,
                           [](const Scene& scene) { return scene.segment(TcpFlags::kAck); }));
    row.tc_reason = row.reason;
    row.reason = xdp_reason;
    rows.push_back(row);
    row = on(path, spills("way out", std::string(what) + ", new UDP flow", kDatagram));
    row.tc_reason = row.reason;
    row.reason = xdp_reason;
    rows.push_back(row);
  };
  punted(Path::kUnknownNeighbour, "neighbour not known", "punt-neighbour");
  punted(Path::kOtherDevice, "by another device", "punt-device");
  PacketCase tagged = on(Path::kOtherDevice,
                         passes(
                             "way out", "by another device, VLAN tag in the frame", "punt-tagged",
                             [](const Scene& scene) {
                               Packet packet = scene.segment(TcpFlags::kAck);
                               packet.vlan_tags = {100};
                               return packet;
                             },
                             Given::kSpilledTcp));
  tagged.tc_reason = "spill-known";
  tagged.becomes = [](const Scene& scene) {
    return scene.to_backend(scene.segment(TcpFlags::kAck)).bytes();
  };
  rows.push_back(tagged);
  rows.push_back(on(Path::kNoRoute, passes("way out", "no route, new flow: stays with the VM tier",
                                           "vm-overload", kSynPacket)));
  rows.push_back(
      on(Path::kNoRoute, passes("way out", "no route, new UDP flow: stays with the VM tier",
                                "vm-overload", kDatagram)));
}

}  // namespace

PacketCases tier_cases() {
  PacketCases rows;
  add_not_ours(rows);
  add_vm_tier(rows);
  add_overload(rows);
  add_too_big(rows);
  add_ways_out(rows);
  return rows;
}

}  // namespace flare::test
