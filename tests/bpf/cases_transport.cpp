// P9, P10, P14 to P18 and P20: the transport header, hops to live, and who may have sent it.
#include <algorithm>

#include "packet_case.h"

namespace flare::test {
namespace {

constexpr std::uint8_t kFin = TcpFlags::kFin, kSyn = TcpFlags::kSyn, kRst = TcpFlags::kRst,
                       kPsh = TcpFlags::kPsh, kAck = TcpFlags::kAck, kUrg = TcpFlags::kUrg;

Make datagram_with_checksum(std::optional<std::uint16_t> checksum) {
  return [checksum](const Scene& scene) {
    Packet packet = scene.datagram();
    packet.checksum = checksum;
    return packet;
  };
}

void add_udp_checksums(PacketCases& rows) {
  rows.push_back(
      only_v4(spills("P9", "UDP checksum 0 (none): stays 0", datagram_with_checksum(0))));
  rows.push_back(only_v4(returns("P9", "reply with UDP checksum 0: stays 0", Given::kSpilledUdp,
                                 [](const Scene& scene) {
                                   Packet packet = scene.reply_datagram();
                                   packet.checksum = 0;
                                   return packet;
                                 })));
  rows.push_back(
      only_v6(passes("P9", "UDP checksum 0", "bad-checksum-field", datagram_with_checksum(0))));
  rows.push_back(follows("P9", "UDP checksum that becomes 0: sent as 0xffff", Given::kSpilledUdp,
                         [](const Scene& scene) {
                           Packet packet = scene.datagram();
                           packet.payload = zero_sum_payload(scene.to_backend(packet));
                           return packet;
                         }));
  rows.push_back(returns("P9", "reply whose UDP checksum becomes 0: sent as 0xffff",
                         Given::kSpilledUdp, [](const Scene& scene) {
                           Packet packet = scene.reply_datagram();
                           packet.payload = zero_sum_payload(scene.to_client(packet));
                           return packet;
                         }));
  for (std::uint16_t length = 1; length < 8; ++length) {
    rows.push_back(passes("P9", "UDP length " + std::to_string(length), "bad-transport-header",
                          [length](const Scene& scene) {
                            Packet packet = scene.datagram();
                            packet.udp_length = length;
                            return packet;
                          }));
    rows.back().unread = true;
  }
}

void add_tcp_headers(PacketCases& rows) {
  for (std::uint8_t words = 0; words < 5; ++words)
    rows.push_back(passes("P10", "TCP data offset " + std::to_string(words), "bad-transport-header",
                          [words](const Scene& scene) {
                            Packet packet = scene.segment();
                            packet.data_offset = words;
                            return packet;
                          }));
  rows.push_back(passes("P10", "TCP data offset past the packet", "bad-transport-header",
                        [](const Scene& scene) {
                          Packet packet = scene.segment();
                          packet.data_offset = 6;
                          return packet;
                        }));
  const struct {
    const char* what;
    int flags;
  } impossible[] = {{"SYN and FIN", kSyn | kFin},
                    {"SYN and RST", kSyn | kRst},
                    {"SYN, FIN and ACK", kSyn | kFin | kAck},
                    {"no flags", 0},
                    {"FIN, PSH and URG (Xmas)", kFin | kPsh | kUrg},
                    {"FIN alone", kFin},
                    {"PSH alone", kPsh},
                    {"URG alone", kUrg},
                    {"FIN and URG", kFin | kUrg},
                    {"SYN, RST and ACK", kSyn | kRst | kAck},
                    {"all flags", 0x3f}};
  for (const auto& entry : impossible) {
    const Make make = [flags = static_cast<std::uint8_t>(entry.flags)](const Scene& scene) {
      return scene.segment(flags);
    };
    rows.push_back(passes("P10", entry.what, "bad-tcp-flags", make));
    rows.push_back(passes("P10", std::string(entry.what) + ", established flow", "bad-tcp-flags",
                          make, Given::kSpilledTcp));
  }
  rows.push_back(spills("P10", "SYN with options and payload", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.tcp_options = {2, 4, 5, 180, 4, 2, 1, 3, 3, 7};
    packet.payload = to_bytes("fast open");
    return packet;
  }));
  rows.push_back(spills("P10", "SYN with ECE and CWR",
                        [](const Scene& scene) { return scene.segment(kSyn | 0xc0); }));
  const struct {
    const char* what;
    int flags;
  } strays[] = {{"ACK", kAck},
                {"RST", kRst},
                {"RST and ACK", kRst | kAck},
                {"FIN and ACK", kFin | kAck},
                {"SYN and ACK", kSyn | kAck}};
  for (const auto& entry : strays)
    rows.push_back(passes("P10", std::string(entry.what) + " without a flow", "vm-known",
                          [flags = static_cast<std::uint8_t>(entry.flags)](const Scene& scene) {
                            return scene.segment(flags);
                          }));
}

Make aged(Make make, std::uint8_t ttl) {
  return [make = std::move(make), ttl](const Scene& scene) {
    Packet packet = make(scene);
    packet.ttl = ttl;
    return packet;
  };
}

void add_hops(PacketCases& rows) {
  const auto exceeded = [](const Scene& scene, const Packet& packet) {
    return scene.time_exceeded(packet);
  };
  const Make ack = [](const Scene& scene) {
    Packet packet = scene.segment(TcpFlags::kAck);
    packet.payload = to_bytes("more than is quoted");
    return packet;
  };
  const Make datagram = [](const Scene& scene) { return scene.datagram(); };
  const Make reply = [](const Scene& scene) { return scene.reply_segment(); };
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
    const std::string what = "TTL " + std::to_string(ttl);
    rows.push_back(answers("P14", what + ", established flow", "ttl-exceeded", Given::kSpilledTcp,
                           aged(ack, ttl), exceeded));
    rows.push_back(answers("P14", what + ", UDP flow", "ttl-exceeded", Given::kSpilledUdp,
                           aged(datagram, ttl), exceeded));
    rows.push_back(answers("P14", what + ", reply of the backend", "ttl-exceeded",
                           Given::kSpilledTcp, aged(reply, ttl), exceeded));
    rows.push_back(passes("P14", what + ", new flow: stays with the VM tier", "vm-overload",
                          aged([](const Scene& scene) { return scene.segment(); }, ttl)));
    rows.push_back(passes("P14", what + ", new UDP flow: stays with the VM tier", "vm-overload",
                          aged(datagram, ttl)));
  }
  rows.push_back(follows("P14", "TTL 2: leaves with 1", Given::kSpilledTcp, aged(ack, 2)));
  rows.push_back(follows("P14", "TTL 255: leaves with 254", Given::kSpilledTcp, aged(ack, 255)));
  rows.push_back(spills("P14", "TTL 2, new flow: leaves with 1",
                        aged([](const Scene& scene) { return scene.segment(); }, 2)));
}

Make from(std::string source) {
  return [source = std::move(source)](const Scene& scene) {
    Packet packet = scene.segment();
    packet.src = *Address::parse(source);
    return packet;
  };
}

void add_sources(PacketCases& rows) {
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.2.3",
                             "240.0.0.1", "255.255.255.255"})
    rows.push_back(
        only_v4(passes("P15", std::string("source ") + source, "martian", from(source))));
  for (const char* source : {"::", "::1", "ff02::1", "ff0e::5", "::1.2.3.4"})
    rows.push_back(
        only_v6(passes("P15", std::string("source ") + source, "martian", from(source))));
  for (const bool in_source : {true, false}) {
    PacketCase row = passes("P15",
                            in_source ? "IPv6 packet with an IPv4-mapped source"
                                      : "IPv6 packet to an IPv4-mapped destination",
                            "martian", [](const Scene& scene) { return scene.segment(); });
    row.unread = true;
    row.frame = [in_source](const Scene& scene) {
      Bytes frame = scene.segment().bytes();
      const Bytes address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
      std::copy(address.begin(), address.end(), frame.begin() + (in_source ? 22 : 38));
      return frame;
    };
    rows.push_back(only_v6(std::move(row)));
  }
  rows.push_back(passes(
      "P15", "the frontend's own address as source, another port", "spoof",
      [](const Scene& scene) { return tcp(scene.at(scene.host_ip(), 40000), scene.frontend()); }));
  rows.push_back(
      passes("P16", "land: source = destination, same port", "land",
             [](const Scene& scene) { return tcp(scene.frontend(), scene.frontend()); }));
  rows.push_back(passes("P16", "land by UDP", "land", [](const Scene& scene) {
    return udp(scene.frontend(Protocol::kUdp), scene.frontend(Protocol::kUdp));
  }));
  rows.push_back(passes("P17", "a NAT address of ours as source", "spoof", [](const Scene& scene) {
    return tcp(scene.at(scene.other_nat_ip(), 40000), scene.frontend());
  }));
  rows.push_back(
      passes("P17", "a NAT address of ours as source, UDP", "spoof", [](const Scene& scene) {
        return udp(scene.at(scene.other_nat_ip(), 40000), scene.frontend(Protocol::kUdp));
      }));
  rows.push_back(spills("P17", "a backend as client of the service",
                        [](const Scene& scene) { return tcp(scene.backend(), scene.frontend()); }));
  rows.push_back(passes(
      "P17", "to the NAT port in use, from another port of the backend", "not-service",
      [](const Scene& scene) { return tcp(scene.at(scene.backend_ip(), 8081), scene.nat(), kAck); },
      Given::kSpilledTcp));
  rows.push_back(passes(
      "P17", "to the NAT port in use, from a stranger", "not-service",
      [](const Scene& scene) {
        return tcp(scene.at(scene.stranger_ip(), 8080), scene.nat(), kAck);
      },
      Given::kSpilledTcp));
  rows.push_back(passes(
      "P17", "from the backend to a NAT port not in use", "not-service",
      [](const Scene& scene) {
        const auto port =
            static_cast<std::uint16_t>(scene.nat_port == 20999 ? 20000 : scene.nat_port + 1);
        return tcp(scene.backend(), scene.at(scene.nat_ip, port), kAck);
      },
      Given::kSpilledTcp));
}

Make to_mac(Make make, std::string mac) {
  return [make = std::move(make), mac = std::move(mac)](const Scene& scene) {
    Packet packet = make(scene);
    packet.dst_mac = mac;
    return packet;
  };
}

PacketCase raw_frame(const char* what, const char* reason, std::uint16_t type, std::size_t bytes,
                     const char* mac) {
  PacketCase row;
  row.fixture = "P18";
  row.what = what;
  row.reason = reason;
  row.frame = [=](const Scene& scene) {
    Bytes frame = to_mac([](const Scene& s) { return s.segment(); }, mac)(scene).bytes();
    frame.resize(14);
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    frame.resize(14 + bytes, 0x5a);
    return frame;
  };
  return row;
}

void add_links(PacketCases& rows) {
  const Make syn = [](const Scene& scene) { return scene.segment(); };
  rows.push_back(passes("P18", "SYN to the broadcast link address", "not-unicast",
                        to_mac(syn, "ff:ff:ff:ff:ff:ff")));
  rows.push_back(passes("P18", "SYN to a multicast link address", "not-unicast",
                        to_mac(syn, "01:00:5e:00:00:01")));
  rows.push_back(
      passes("P18", "reply of the backend to the broadcast link address", "not-unicast",
             to_mac([](const Scene& scene) { return scene.reply_segment(); }, "ff:ff:ff:ff:ff:ff"),
             Given::kSpilledTcp));
  rows.push_back(
      passes("P18", "established flow, to a multicast link address", "not-unicast",
             to_mac([](const Scene& scene) { return scene.segment(kAck); }, "33:33:00:00:00:01"),
             Given::kSpilledTcp));
  rows.push_back(raw_frame("ARP request", "not-ip", 0x0806, 28, "ff:ff:ff:ff:ff:ff"));
  rows.push_back(raw_frame("LLDP", "not-ip", 0x88cc, 50, "01:80:c2:00:00:0e"));
  rows.push_back(
      raw_frame("802.3 length instead of a type", "not-ip", 0x0040, 64, "02:00:00:00:00:01"));
  rows.push_back(only_v6(passes(
      "P18", "neighbour solicitation for the frontend", "icmp-not-error", [](const Scene& scene) {
        Packet packet = icmp_error("fe80::7", "ff02::1:ff00:1", 135, 0, 0, Bytes(16));
        packet.dst_mac = "33:33:ff:00:00:01";
        packet.ttl = scene.v4() ? 64 : 255;
        return packet;
      })));
}

void add_reuse(PacketCases& rows) {
  const Make syn = [](const Scene& scene) { return scene.segment(); };
  rows.push_back(follows("P20", "SYN on an established flow: same backend, same port",
                         Given::kSpilledTcp, syn));
  rows.push_back(follows("P20", "SYN sent again before the answer", Given::kSpilledSyn, syn));
  const auto anew = [&](const char* what, Given given) {
    PacketCase row = spills("P20", what, syn);
    row.given = given;
    return row;
  };
  rows.push_back(anew("SYN after FIN from both sides: decided anew", Given::kClosedTcp));
  rows.push_back(anew("SYN after a RST: decided anew", Given::kResetTcp));
  rows.push_back(follows("P20", "ACK after FIN from both sides: still the old flow",
                         Given::kClosedTcp,
                         [](const Scene& scene) { return scene.segment(kAck); }));
}

}  // namespace

PacketCases transport_cases() {
  PacketCases rows;
  add_udp_checksums(rows);
  add_tcp_headers(rows);
  add_hops(rows);
  add_sources(rows);
  add_links(rows);
  add_reuse(rows);
  return rows;
}

}  // namespace flare::test
