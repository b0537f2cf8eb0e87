#include "kernel/reset_frame.h"

#include <arpa/inet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include <cstring>
#include <span>

#include "model/address.h"

namespace flare {
namespace {

constexpr std::uint8_t kTtl = 64;

/// The sum of RFC 1071 over an even number of bytes, not folded yet.
std::uint32_t sum_of(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  }
  return sum;
}

/// The checksum as it stands in a header.
std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

template <typename Header>
std::span<const std::uint8_t> bytes_of(const Header& header) {
  return {reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)};
}

template <typename Header>
void append(std::vector<std::uint8_t>& frame, const Header& header) {
  const auto bytes = bytes_of(header);
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}

void append_ipv4(std::vector<std::uint8_t>& frame, const flare_flow_key& flow) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof(ip) / 4;
  ip.tot_len = htons(sizeof(ip) + sizeof(tcphdr));
  ip.frag_off = htons(IP_DF);
  ip.ttl = kTtl;
  ip.protocol = IPPROTO_TCP;
  ip.saddr = flow.src.word[3];
  ip.daddr = flow.dst.word[3];
  ip.check = folded(sum_of(bytes_of(ip)));
  append(frame, ip);
}

void append_ipv6(std::vector<std::uint8_t>& frame, const flare_flow_key& flow) {
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28);
  ip.ip6_plen = htons(sizeof(tcphdr));
  ip.ip6_nxt = IPPROTO_TCP;
  ip.ip6_hlim = kTtl;
  std::memcpy(&ip.ip6_src, &flow.src, sizeof(ip.ip6_src));
  std::memcpy(&ip.ip6_dst, &flow.dst, sizeof(ip.ip6_dst));
  append(frame, ip);
}

tcphdr reset_header(const flare_flow_key& flow, bool v4, std::uint32_t seq, std::uint32_t ack) {
  tcphdr tcp{};
  tcp.source = flow.sport;
  tcp.dest = flow.dport;
  tcp.seq = htonl(seq);
  tcp.ack_seq = htonl(ack);
  tcp.doff = sizeof(tcp) / 4;
  tcp.rst = 1;
  tcp.ack = 1;
  // The pseudo-header; of IPv4 addresses, only their last word counts.
  std::uint32_t sum = sizeof(tcp) + IPPROTO_TCP;
  for (const flare_addr* addr : {&flow.src, &flow.dst}) {
    sum = v4 ? sum_of(bytes_of(addr->word[3]), sum) : sum_of(bytes_of(*addr), sum);
  }
  tcp.check = folded(sum_of(bytes_of(tcp), sum));
  return tcp;
}

}  // namespace

std::vector<std::uint8_t> reset_frame(const flare_flow_key& flow, std::uint32_t seq,
                                      std::uint32_t ack) {
  const bool v4 = Address{flow.src}.is_v4();
  std::vector<std::uint8_t> frame;
  ether_header link{};
  link.ether_type = htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
  append(frame, link);
  if (v4) {
    append_ipv4(frame, flow);
  } else {
    append_ipv6(frame, flow);
  }
  append(frame, reset_header(flow, v4, seq, ack));
  return frame;
}

}  // namespace flare
