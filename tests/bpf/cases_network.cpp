// P2 to P4 and P6: the link and IP headers, and what they claim.
#include "packet_case.h"

namespace flare::test {
namespace {

constexpr std::uint8_t kNop = 1, kRecordRoute = 7, kTimestamp = 68, kLooseRoute = 131,
                       kStrictRoute = 137, kRouterAlert = 148;

Packet syn_with_options(const Scene& scene, Bytes options) {
  Packet packet = scene.segment();
  packet.ip_options = std::move(options);
  return packet;
}

/// An option of `size` bytes whose body is zero but for a pointer to its first slot.
Bytes option(std::uint8_t type, std::uint8_t size) {
  Bytes bytes(size, 0);
  bytes[0] = type;
  bytes[1] = size;
  if (size > 2) bytes[2] = 4;
  return bytes;
}

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// The SYN with its Ethernet type and IP version field as given.
Make headers(std::uint8_t version, std::uint16_t ether_type) {
  return [=](const Scene& scene) {
    Packet packet = scene.segment();
    packet.ip_version = version;
    packet.ether_type = ether_type;
    return packet;
  };
}

void add_bad_headers(PacketCases& rows) {
  const auto row = [&](const char* what, Make make) {
    return passes("P2", what, "bad-ip-header", std::move(make));
  };
  rows.push_back(only_v4(row("Ethernet type IPv4, version field 6", headers(6, 0x0800))));
  rows.push_back(only_v4(row("Ethernet type IPv6, an IPv4 packet", headers(4, 0x86dd))));
  rows.push_back(only_v6(row("Ethernet type IPv6, version field 4", headers(4, 0x86dd))));
  rows.push_back(only_v6(row("Ethernet type IPv4, an IPv6 packet", headers(6, 0x0800))));
  for (const std::uint8_t version : {std::uint8_t{5}, std::uint8_t{15}})
    rows.push_back(
        row(("version field " + std::to_string(version)).c_str(), [version](const Scene& scene) {
          Packet packet = scene.segment();
          packet.ip_version = version;
          return packet;
        }));
  for (std::uint8_t ihl = 0; ihl < 5; ++ihl) {
    PacketCase bad = row(("IHL " + std::to_string(ihl)).c_str(),
                         [](const Scene& scene) { return scene.segment(); });
    bad.frame = [ihl](const Scene& scene) {
      Bytes frame = scene.segment().bytes();
      frame[14] = static_cast<std::uint8_t>(0x40 | ihl);
      return frame;
    };
    rows.push_back(only_v4(std::move(bad)));
  }
  rows.push_back(only_v4(row("IHL 15, header longer than the packet", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.ihl = 15;
    return packet;
  })));
}

void add_options(PacketCases& rows) {
  const struct {
    const char* what;
    Bytes options;
  } kept[] = {
      {"four NOPs", Bytes(4, kNop)},
      {"record route", option(kRecordRoute, 15)},
      {"record route, IHL 15", option(kRecordRoute, 39)},
      {"router alert", option(kRouterAlert, 4)},
      {"timestamp", option(kTimestamp, 12)},
      {"seven NOPs, end of list", joined(Bytes(7, kNop), Bytes(1, 0))},
      {"NOPs between options",
       joined(joined(Bytes(1, kNop), option(kRouterAlert, 4)), option(kTimestamp, 12))},
      {"end of list, garbage after it", {0, 131, 1, 1}},
  };
  for (const auto& entry : kept) {
    const auto make = [options = entry.options](const Scene& scene) {
      return syn_with_options(scene, options);
    };
    rows.push_back(only_v4(spills("P3", std::string("IPv4 options: ") + entry.what, make)));
  }
  rows.push_back(only_v4(follows("P3", "IPv4 options: router alert, established flow",
                                 Given::kSpilledTcp, [](const Scene& scene) {
                                   Packet packet = scene.segment(TcpFlags::kAck);
                                   packet.ip_options = option(kRouterAlert, 4);
                                   return packet;
                                 })));
  const struct {
    const char* what;
    const char* reason;
    Bytes options;
  } refused[] = {
      {"loose source route", "source-route", option(kLooseRoute, 7)},
      {"strict source route", "source-route", option(kStrictRoute, 7)},
      {"NOP, then source route", "source-route", joined(Bytes(1, kNop), option(kLooseRoute, 7))},
      {"router alert, then source route", "source-route",
       joined(option(kRouterAlert, 4), option(kStrictRoute, 7))},
      {"option of length 0", "bad-ip-header", {kRecordRoute, 0, 0, 0}},
      {"option of length 1", "bad-ip-header", {kRecordRoute, 1, 0, 0}},
      {"option longer than the header", "bad-ip-header", {kRecordRoute, 8, 4, 0}},
      {"option without its length byte", "bad-ip-header", {kNop, kNop, kNop, kRecordRoute}},
      {"more than eight options", "bad-ip-header", Bytes(12, kNop)},
  };
  for (const auto& entry : refused) {
    const auto make = [options = entry.options](const Scene& scene) {
      return syn_with_options(scene, options);
    };
    rows.push_back(
        only_v4(passes("P3", std::string("IPv4 options: ") + entry.what, entry.reason, make)));
  }
}

/// A SYN whose length field (IPv4 total, IPv6 payload) is off by `by` bytes.
Make length_off(int by) {
  return [by](const Scene& scene) {
    Packet packet = scene.segment();
    packet.total_length = static_cast<std::uint16_t>((scene.v4() ? 40 : 20) + by);
    return packet;
  };
}

Make length_is(std::uint16_t length) {
  return [length](const Scene& scene) {
    Packet packet = scene.segment();
    packet.total_length = length;
    return packet;
  };
}

Make padded(Make make, std::size_t bytes) {
  return [make = std::move(make), bytes](const Scene& scene) {
    Packet packet = make(scene);
    packet.frame_padding = bytes;
    return packet;
  };
}

void add_lengths(PacketCases& rows) {
  rows.push_back(
      passes("P4", "length field one byte more than the frame", "truncated", length_off(1)));
  rows.push_back(passes("P4", "length field 65535", "truncated", length_is(0xffff)));
  rows.push_back(passes("P4", "length field one byte less than the TCP header needs", "truncated",
                        length_off(-1)));
  rows.push_back(
      passes("P4", "length field that ends at the IP header", "truncated", length_off(-20)));
  rows.push_back(only_v4(passes("P4", "total length 0", "bad-ip-header", length_is(0))));
  rows.push_back(only_v4(passes("P4", "total length 19", "bad-ip-header", length_is(19))));
  rows.push_back(only_v6(passes("P4", "payload length 0", "truncated", length_is(0))));
  const auto syn = [](const Scene& scene) { return scene.segment(); };
  rows.push_back(spills("P4", "SYN in a frame padded by 6 bytes, padding kept", padded(syn, 6)));
  rows.push_back(spills("P4", "datagram in a frame padded by 13 bytes, padding kept",
                        padded([](const Scene& scene) { return scene.datagram("x"); }, 13)));
  rows.push_back(returns("P4", "reply in a padded frame, padding kept", Given::kSpilledTcp,
                         padded([](const Scene& scene) { return scene.reply_segment(); }, 6)));
}

Make tagged(std::vector<std::uint16_t> tags, std::uint16_t outer = 0x8100) {
  return [tags = std::move(tags), outer](const Scene& scene) {
    Packet packet = scene.segment();
    packet.vlan_tags = tags;
    packet.outer_tag_type = outer;
    return packet;
  };
}

void add_tags(PacketCases& rows) {
  rows.push_back(spills("P6", "one VLAN tag in the frame, kept", tagged({100})));
  rows.push_back(spills("P6", "priority tag (VLAN 0), kept", tagged({0xe000})));
  rows.push_back(spills("P6", "two tags (802.1ad, 802.1Q), kept", tagged({7, 100}, 0x88a8)));
  rows.push_back(spills("P6", "two tags (802.1Q twice), kept", tagged({7, 100})));
  rows.push_back(passes("P6", "three tags", "vlan-depth", tagged({1, 2, 3})));
  rows.push_back(
      passes("P6", "three tags (802.1ad outermost)", "vlan-depth", tagged({1, 2, 3}, 0x88a8)));
  for (const std::size_t size : {14U, 16U, 17U}) {
    PacketCase cut = passes("P6", "tag cut short, frame of " + std::to_string(size) + " bytes",
                            "truncated", tagged({100}));
    cut.frame = [size](const Scene& scene) {
      Bytes frame = tagged({100})(scene).bytes();
      frame.resize(size);
      return frame;
    };
    rows.push_back(std::move(cut));
  }
}

}  // namespace

PacketCases network_cases() {
  PacketCases rows;
  add_bad_headers(rows);
  add_options(rows);
  add_lengths(rows);
  add_tags(rows);
  return rows;
}

}  // namespace flare::test
