// P8: ICMP errors with the packet that they quote. The quote is the SYN of a spilled flow as it
// left for the backend, unless a row says otherwise.
#include "packet_case.h"

namespace flare::test {
namespace {

/// The SYN that opened the flow, as it left.
Packet sent_syn(const Scene& scene) { return scene.to_backend(scene.segment()); }

std::size_t shortest(const Scene& scene) { return scene.v4() ? 28 : 48; }

PacketCase translated(const char* what, Given given, Make error, Make expected) {
  PacketCase row = passes("P8", what, "spill-icmp", std::move(error), given);
  row.becomes = [expected = std::move(expected)](const Scene& scene) {
    return expected(scene).bytes();
  };
  return row;
}

void add_translated(PacketCases& rows) {
  rows.push_back(translated(
      "too big, quote of 8 transport bytes", Given::kSpilledTcp,
      [](const Scene& scene) { return scene.error_about(sent_syn(scene), shortest(scene)); },
      [](const Scene& scene) { return scene.error_for_client(scene.segment(), shortest(scene)); }));
  rows.push_back(translated(
      "too big, whole quote, about a SYN not yet answered", Given::kSpilledSyn,
      [](const Scene& scene) { return scene.error_about(sent_syn(scene)); },
      [](const Scene& scene) { return scene.error_for_client(scene.segment()); }));
  rows.push_back(translated(
      "quote cut within the transport checksum: the half stays", Given::kSpilledTcp,
      [](const Scene& scene) { return scene.error_about(sent_syn(scene), shortest(scene) + 9); },
      [](const Scene& scene) {
        Packet error = scene.error_for_client(scene.segment(), shortest(scene) + 9);
        error.payload.back() = sent_syn(scene).ip_bytes(shortest(scene) + 9).back();
        return error;
      }));
  rows.push_back(translated(
      "whole quote of a datagram", Given::kSpilledUdp,
      [](const Scene& scene) { return scene.error_about(scene.to_backend(scene.datagram())); },
      [](const Scene& scene) { return scene.error_for_client(scene.datagram()); }));
  rows.push_back(translated(
      "wrong checksum in the quote: stays as wrong as it was", Given::kSpilledTcp,
      [](const Scene& scene) {
        Packet error = scene.error_about(sent_syn(scene));
        error.payload.back() ^= 0xff;  // a byte of the urgent pointer
        return error;
      },
      [](const Scene& scene) {
        Packet error = scene.error_for_client(scene.segment());
        error.payload.back() ^= 0xff;
        return error;
      }));
  rows.push_back(translated(
      "in a padded frame, padding kept", Given::kSpilledTcp,
      [](const Scene& scene) {
        Packet error = scene.error_about(sent_syn(scene), shortest(scene));
        error.frame_padding = 4;
        return error;
      },
      [](const Scene& scene) {
        Packet error = scene.error_for_client(scene.segment(), shortest(scene));
        error.frame_padding = 4;
        return error;
      }));
}

/// A datagram whose checksum, computed, is 0 and so is sent as 0xffff.
Packet zero_sum(const Scene& scene) {
  Packet packet = scene.datagram();
  packet.payload = zero_sum_payload(packet);
  return packet;
}

void add_zero_sums(PacketCases& rows) {
  rows.push_back(translated(
      "quoted UDP checksum becomes 0: written as 0xffff", Given::kSpilledUdp,
      [](const Scene& scene) { return scene.error_about(scene.to_backend(zero_sum(scene))); },
      [](const Scene& scene) { return scene.error_for_client(zero_sum(scene)); }));
  rows.push_back(only_v4(translated(
      "quoted UDP checksum 0 (none) stays 0", Given::kSpilledUdp,
      [](const Scene& scene) {
        Packet datagram = scene.datagram();
        datagram.checksum = 0;
        return scene.error_about(scene.to_backend(datagram));
      },
      [](const Scene& scene) {
        Packet datagram = scene.datagram();
        datagram.checksum = 0;
        return scene.error_for_client(datagram);
      })));
}

PacketCase unmatched(const char* what, Make make, Given given = Given::kSpilledTcp) {
  return passes("P8", what, "icmp-no-flow", std::move(make), given);
}

void add_unmatched(PacketCases& rows) {
  rows.push_back(unmatched(
      "no flow at all",
      [](const Scene& scene) {
        return scene.error_about(tcp(scene.frontend(), scene.client(), TcpFlags::kAck));
      },
      Given::kNothing));
  rows.push_back(unmatched(
      "about a packet of the VM tier",
      [](const Scene& scene) {
        return scene.error_about(tcp(scene.frontend(), scene.client(), TcpFlags::kAck));
      },
      Given::kVmTcp));
  rows.push_back(unmatched("quote with another port", [](const Scene& scene) {
    Packet quote = sent_syn(scene);
    quote.sport ^= 1;
    return scene.error_about(quote);
  }));
  rows.push_back(unmatched("quote of another protocol, same ports", [](const Scene& scene) {
    return scene.error_about(udp(scene.nat(), scene.backend()));
  }));
  rows.push_back(unmatched("quote cut before the ports end", [](const Scene& scene) {
    return scene.error_about(sent_syn(scene), shortest(scene) - 1);
  }));
  rows.push_back(unmatched("quote whose ports lie in the frame's padding", [](const Scene& scene) {
    const Packet whole = scene.error_about(sent_syn(scene), shortest(scene));
    Packet error = whole;
    error.total_length =
        static_cast<std::uint16_t>(whole.ip_bytes().size() - 8 - (scene.v4() ? 0U : 40U));
    return error;
  }));
  rows.push_back(unmatched("nested: the quote is an ICMP error", [](const Scene& scene) {
    return scene.error_about(scene.error_about(sent_syn(scene)));
  }));
  rows.push_back(unmatched(
      "no quote", [](const Scene& scene) { return scene.error_about(sent_syn(scene), 0); }));
  rows.push_back(unmatched("quote of the wrong version", [](const Scene& scene) {
    Packet error = scene.error_about(sent_syn(scene));
    error.payload[0] =
        static_cast<std::uint8_t>((scene.v4() ? 0x60 : 0x40) | (error.payload[0] & 0x0f));
    return error;
  }));
  rows.push_back(
      unmatched("sent to another address than the quote's source", [](const Scene& scene) {
        Packet error = scene.error_about(sent_syn(scene));
        error.dst = *Address::parse(scene.stranger_ip());
        return error;
      }));
  rows.push_back(unmatched("error that is itself a fragment", [](const Scene& scene) {
    return Scene::first_fragment(scene.error_about(sent_syn(scene)));
  }));
  rows.push_back(only_v4(unmatched("quote of a later fragment", [](const Scene& scene) {
    Packet error = scene.error_about(sent_syn(scene));
    error.payload[7] = 2;
    return error;
  })));
  rows.push_back(only_v4(unmatched("quote with IHL 4", [](const Scene& scene) {
    Packet error = scene.error_about(sent_syn(scene));
    error.payload[0] = 0x44;
    return error;
  })));
}

Packet icmp(const Scene& scene, std::uint8_t v4_type, std::uint8_t v6_type) {
  Packet packet = scene.error_about(sent_syn(scene));
  packet.icmp_type = scene.v4() ? v4_type : v6_type;
  packet.icmp_code = 0;
  return packet;
}

void add_others(PacketCases& rows) {
  rows.push_back(passes(
      "P8", "echo request", "icmp-not-error",
      [](const Scene& scene) { return icmp(scene, 8, 128); }, Given::kSpilledTcp));
  rows.push_back(passes(
      "P8", "redirect", "icmp-not-error", [](const Scene& scene) { return icmp(scene, 5, 137); },
      Given::kSpilledTcp));
  rows.push_back(passes(
      "P8", "ICMP of the other family", "not-transport",
      [](const Scene& scene) {
        Packet packet = icmp(scene, 3, 1);
        packet.protocol = scene.v4() ? 58 : 1;
        return packet;
      },
      Given::kSpilledTcp));
}

}  // namespace

PacketCases icmp_cases() {
  PacketCases rows;
  add_translated(rows);
  add_zero_sums(rows);
  add_unmatched(rows);
  add_others(rows);
  return rows;
}

}  // namespace flare::test
