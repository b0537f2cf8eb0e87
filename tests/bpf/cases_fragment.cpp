// P5 and P7: fragments and IPv6 extension headers.
#include "packet_case.h"

namespace flare::test {
namespace {

constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kEsp = 50, kAuth = 51, kNone = 59,
                       kDestination = 60;

void add_first_fragments(PacketCases& rows) {
  rows.push_back(spills("P5", "first fragment of a datagram", [](const Scene& scene) {
    return Scene::first_fragment(scene.datagram("12345678"));
  }));
  rows.push_back(spills("P5", "first fragment of a SYN", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.payload = to_bytes("1234");
    return Scene::first_fragment(packet);
  }));
  rows.push_back(spills("P5", "first fragment that cuts the TCP options", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.data_offset = 10;
    packet.payload = to_bytes("1234");
    return Scene::first_fragment(packet);
  }));
  rows.push_back(follows("P5", "first fragment of a segment of a known flow", Given::kSpilledTcp,
                         [](const Scene& scene) {
                           Packet packet = scene.segment(TcpFlags::kAck);
                           packet.payload = to_bytes("1234");
                           return Scene::first_fragment(packet);
                         }));
  for (const bool is_tcp : {true, false}) {
    PacketCase tiny =
        passes("P5", is_tcp ? "first fragment of 8 bytes, TCP" : "first fragment of 4 bytes, UDP",
               "tiny-fragment", [](const Scene& scene) { return scene.segment(); });
    tiny.frame = [is_tcp](const Scene& scene) {
      Packet packet = Scene::first_fragment(is_tcp ? scene.segment() : scene.datagram());
      Packet shorter = packet;  // the same headers, the transport header as payload
      shorter.protocol = 0xfd;
      shorter.protocol_field = packet.protocol;
      const Bytes whole = packet.ip_bytes();
      const std::ptrdiff_t header = scene.v4() ? 20 : 48;
      shorter.payload.assign(whole.begin() + header, whole.begin() + header + (is_tcp ? 8 : 4));
      return shorter.bytes();
    };
    rows.push_back(std::move(tiny));
  }
}

void add_later_fragments(PacketCases& rows) {
  const auto later = [](const Scene& scene) {
    return Scene::later_fragment(Scene::first_fragment(scene.datagram()), 16, 24);
  };
  rows.push_back(passes("P5", "later fragment, first not seen", "fragment-no-flow", later));
  rows.push_back(passes(
      "P5", "later fragment of TCP, first not seen", "fragment-no-flow", [](const Scene& scene) {
        return Scene::later_fragment(Scene::first_fragment(scene.segment()), 24, 8);
      }));
  const auto follow = [&](const char* what, Make make) {
    PacketCase row = follows("P5", what, Given::kFirstFragment, std::move(make));
    row.reason = "spill-fragment";
    return row;
  };
  rows.push_back(follow("later fragment of a spilled datagram", later));
  rows.push_back(follow("later fragment that overlaps the first", [](const Scene& scene) {
    return Scene::later_fragment(Scene::first_fragment(scene.datagram()), 8, 24);
  }));
  rows.push_back(follow("fragment in the middle", [](const Scene& scene) {
    Packet packet = Scene::later_fragment(Scene::first_fragment(scene.datagram()), 16, 24);
    packet.more_fragments = true;
    return packet;
  }));
  rows.push_back(passes(
      "P5", "later fragment of another datagram", "fragment-no-flow",
      [](const Scene& scene) {
        return Scene::later_fragment(Scene::first_fragment(scene.datagram(), 78), 16, 24);
      },
      Given::kFirstFragment));
  rows.push_back(passes(
      "P5", "later fragment of another protocol, same identification", "fragment-no-flow",
      [](const Scene& scene) {
        return Scene::later_fragment(Scene::first_fragment(scene.segment()), 16, 24);
      },
      Given::kFirstFragment));
}

Packet extended(const Scene& scene, std::vector<Packet::Extension> chain) {
  Packet packet = scene.segment();
  packet.extensions = std::move(chain);
  return packet;
}

Make chain_of(std::vector<Packet::Extension> chain) {
  return [chain = std::move(chain)](const Scene& scene) { return extended(scene, chain); };
}

/// A routing header of `type` with an address in it.
Packet::Extension routing(std::uint8_t type, std::uint8_t segments_left) {
  Bytes body = {type, segments_left};
  body.resize(22, 0);
  return {kRouting, body};
}

void add_extensions(PacketCases& rows) {
  const Packet::Extension hop{kHopByHop, {}}, destination{kDestination, {}};
  const Packet::Extension large{kDestination, Bytes(62, 0)};
  const auto good = [&](const char* what, std::vector<Packet::Extension> chain) {
    rows.push_back(only_v6(spills("P7", what, chain_of(std::move(chain)))));
  };
  good("hop-by-hop options", {hop});
  good("destination options", {destination});
  good("destination options of 64 bytes", {large});
  good("routing header at its last segment", {routing(0, 0)});
  good("segment routing header at its last segment", {routing(4, 0)});
  good("hop-by-hop, destination, routing, destination",
       {hop, destination, routing(0, 0), destination});
  good("six extension headers",
       {hop, destination, destination, destination, destination, destination});
  rows.push_back(only_v6(spills("P7", "atomic fragment", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.fragment_id = 9;
    return packet;
  })));
  const auto bad = [&](const char* what, const char* reason, Make make) {
    rows.push_back(only_v6(passes("P7", what, reason, std::move(make))));
  };
  bad("routing header, one segment left", "source-route", chain_of({routing(0, 1)}));
  bad("segment routing header, two segments left", "source-route", chain_of({hop, routing(4, 2)}));
  bad("seven extension headers", "bad-ext-header", chain_of({7, destination}));
  bad("eight empty extension headers", "bad-ext-header", chain_of({8, destination}));
  bad("authentication header", "not-transport", chain_of({{kAuth, Bytes(14, 0)}}));
  bad("ESP", "not-transport", chain_of({{kEsp, Bytes(14, 0)}}));
  bad("hop-by-hop, then ESP", "not-transport", chain_of({hop, {kEsp, Bytes(14, 0)}}));
  bad("no next header", "not-transport", [](const Scene& scene) {
    Packet packet = scene.segment();
    packet.protocol = kNone;
    return packet;
  });
  PacketCase past = passes("P7", "extension header longer than the packet", "bad-ext-header",
                           chain_of({destination}));
  past.frame = [](const Scene& scene) {
    Bytes frame = extended(scene, {{kDestination, {}}}).bytes();
    frame[14 + 40 + 1] = 255;
    return frame;
  };
  rows.push_back(only_v6(past));
  past.what = "extension header that ends where the packet does";
  past.reason = "truncated";
  past.frame = [](const Scene& scene) {
    Bytes frame = extended(scene, {{kDestination, {}}}).bytes();
    frame[14 + 40 + 1] = 2;  // 24 bytes: the header and most of the TCP header
    return frame;
  };
  rows.push_back(only_v6(past));
}

}  // namespace

PacketCases fragment_cases() {
  PacketCases rows;
  add_first_fragments(rows);
  add_later_fragments(rows);
  add_extensions(rows);
  return rows;
}

}  // namespace flare::test
