// The kernel's helpers, as Linux 6.18 has them, for user space. Where the kernel leaves bytes
// undefined, they get a pattern here.
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "shim/host.h"

namespace flare::fuzz {
namespace {

constexpr std::uint64_t kTickNs = 4'000'000;  // CONFIG_HZ=250

std::uint64_t folded(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::uint64_t sum_of(const void* words, std::uint32_t bytes) {
  const auto* at = static_cast<const std::uint8_t*>(words);
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i + 1 < bytes; i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, at + i, sizeof word);
    sum += word;
  }
  return sum;
}

void show(xdp_md* ctx) {
  ctx->data = host().packet.data();
  ctx->data_end = host().packet.data_end();
}

void show(__sk_buff* skb) {
  skb->data = host().packet.data();
  skb->data_end = host().packet.data_end();
  skb->len = static_cast<__u32>(host().packet.size());
}

const std::uint8_t kHostMac[] = {2, 0, 0, 0, 0, 1}, kGatewayMac[] = {2, 0, 0, 0, 0, 0xfe},
                   kSideMac[] = {2, 0, 0, 0, 0, 3}, kSideNeighbourMac[] = {2, 0, 0, 0, 0, 0xfd};

/// Where an address lies in the network of the tests.
enum class Place { kGateway, kSmallPath, kUnknownNeighbour, kNowhere, kSide, kSideUnknown };

Place place_of_host(std::uint32_t last) {
  switch (last & 0xf0) {
    case 64:
      return Place::kSmallPath;
    case 80:
      return Place::kUnknownNeighbour;
    case 96:
      return Place::kNowhere;
    case 112:
      return last == 112 ? Place::kSide : Place::kSideUnknown;
    default:
      return Place::kGateway;
  }
}

Place place_of_v4(std::uint32_t address) {
  const std::uint32_t top = address >> 24, net = address >> 8;
  if (top == 0 || top == 127 || top >= 224) return Place::kNowhere;
  if (net == 0xc00002) {  // 192.0.2.0/24: the link itself
    const std::uint32_t last = address & 0xff;
    if (last == 254) return Place::kGateway;
    return last <= 1 || last == 255 ? Place::kNowhere : Place::kUnknownNeighbour;
  }
  if (net != 0xcb0071) return Place::kGateway;  // 203.0.113.0/24: the backends
  return host().routes.backends_lost ? Place::kNowhere : place_of_host(address & 0xff);
}

Place place_of_v6(const std::uint32_t* words) {
  const std::uint32_t first = ntohl(words[0]), second = ntohl(words[1]);
  if (first >> 24 == 0xff || (first == 0 && second == 0)) return Place::kNowhere;
  if (first >> 22 == 0xfe80 >> 6) return Place::kUnknownNeighbour;
  if (first == 0x20010db8 && second == 0) {
    if (words[2] == 0 && words[3] == htonl(0xfe)) return Place::kGateway;
    return words[2] == 0 && ntohl(words[3]) <= 1 ? Place::kNowhere : Place::kUnknownNeighbour;
  }
  if (first != 0x20010db8 || second >> 16 != 5) return Place::kGateway;
  if (host().routes.backends_lost) return Place::kNowhere;
  switch (second & 0xffff) {
    case 0x64:
      return Place::kSmallPath;
    case 0x80:
      return Place::kUnknownNeighbour;
    case 0x96:
      return Place::kNowhere;
    case 0x112:
      return words[2] == 0 && words[3] == htonl(1) ? Place::kSide : Place::kSideUnknown;
    default:
      return Place::kGateway;
  }
}

}  // namespace
}  // namespace flare::fuzz

using namespace flare::fuzz;

extern "C" {

std::uint64_t bpf_ktime_get_ns() { return host().now_ns; }
std::uint64_t bpf_ktime_get_coarse_ns() { return host().now_ns - host().now_ns % kTickNs; }
std::uint32_t bpf_get_smp_processor_id() { return 0; }

long bpf_loop(std::uint32_t times, void* step, void* walk, std::uint64_t) {
  auto* call = reinterpret_cast<long (*)(std::uint64_t, void*)>(step);
  for (std::uint32_t i = 0; i < times; ++i)
    if (call(i, walk) != 0) return i + 1;
  return times;
}

std::int64_t bpf_csum_diff(std::uint32_t* from, std::uint32_t from_bytes, std::uint32_t* to,
                           std::uint32_t to_bytes, std::uint32_t seed) {
  if (from_bytes % 4 != 0 || to_bytes % 4 != 0) return -EINVAL;
  std::uint64_t sum = seed + sum_of(to, to_bytes);
  sum += 0xffff - folded(sum_of(from, from_bytes));
  return static_cast<std::int64_t>(folded(sum));
}

long shim_fib_lookup(void*, bpf_fib_lookup* params, int, std::uint32_t) {
  if (!host().routes.forwarding) return BPF_FIB_LKUP_RET_FWD_DISABLED;
  const Place place = params->family == AF_INET ? place_of_v4(ntohl(params->ipv4_dst))
                                                : place_of_v6(params->ipv6_dst);
  if (place == Place::kNowhere) return BPF_FIB_LKUP_RET_UNREACHABLE;
  const std::uint16_t mtu = place == Place::kSmallPath ? 1280 : 1500;
  if (params->tot_len > mtu) {
    params->mtu_result = mtu;
    return BPF_FIB_LKUP_RET_FRAG_NEEDED;
  }
  const bool side = place == Place::kSide || place == Place::kSideUnknown;
  params->ifindex = side ? kSideDevice : kMainDevice;
  if (place == Place::kUnknownNeighbour || place == Place::kSideUnknown)
    return BPF_FIB_LKUP_RET_NO_NEIGH;
  std::memcpy(params->smac, side ? kSideMac : kHostMac, sizeof params->smac);
  std::memcpy(params->dmac, side ? kSideNeighbourMac : kGatewayMac, sizeof params->dmac);
  return BPF_FIB_LKUP_RET_SUCCESS;
}

long bpf_redirect(std::uint32_t ifindex, std::uint64_t) {
  host().redirected_to = ifindex;
  return 7;  // TC_ACT_REDIRECT
}

long bpf_redirect_neigh(std::uint32_t ifindex, void*, int, std::uint64_t) {
  host().redirected_to = ifindex;
  return 7;
}

std::uint64_t bpf_xdp_get_buff_len(xdp_md*) { return host().packet.size(); }

long bpf_xdp_load_bytes(xdp_md*, std::uint32_t offset, void* to, std::uint32_t bytes) {
  return !host().fails() && host().packet.load(offset, to, bytes) ? 0 : -EINVAL;
}

long bpf_xdp_store_bytes(xdp_md*, std::uint32_t offset, void* from, std::uint32_t bytes) {
  return !host().fails() && host().packet.store(offset, from, bytes) ? 0 : -EINVAL;
}

long bpf_xdp_adjust_head(xdp_md* ctx, int delta) {
  if (host().fails() || !host().packet.adjust_head(delta)) return -EINVAL;
  show(ctx);
  return 0;
}

long bpf_xdp_adjust_tail(xdp_md* ctx, int delta) {
  if (host().fails() || !host().packet.adjust_tail(delta)) return -EINVAL;
  show(ctx);
  return 0;
}

long bpf_skb_load_bytes(const void*, std::uint32_t offset, void* to, std::uint32_t bytes) {
  if (!host().fails() && host().packet.load(offset, to, bytes)) return 0;
  std::memset(to, 0, bytes);
  return -EFAULT;
}

long bpf_skb_store_bytes(__sk_buff* skb, std::uint32_t offset, const void* from,
                         std::uint32_t bytes, std::uint64_t) {
  if (host().fails() || offset + bytes > host().packet.size()) return -EFAULT;
  if (offset + bytes > host().packet.linear()) host().packet.pull(offset + bytes);
  host().packet.store(offset, from, bytes);
  show(skb);
  return 0;
}

long bpf_skb_pull_data(__sk_buff* skb, std::uint32_t bytes) {
  if (host().fails() || !host().packet.pull(bytes)) return -ENOMEM;
  show(skb);
  return 0;
}

long bpf_skb_change_tail(__sk_buff* skb, std::uint32_t bytes, std::uint64_t) {
  const long delta = static_cast<long>(bytes) - static_cast<long>(host().packet.size());
  if (host().fails() || !host().packet.adjust_tail(static_cast<int>(delta))) return -EINVAL;
  show(skb);
  return 0;
}

long bpf_skb_adjust_room(__sk_buff* skb, int delta, std::uint32_t, std::uint64_t) {
  if (delta <= 0 || host().fails() || !host().packet.insert(14, static_cast<std::size_t>(delta)))
    return -EOPNOTSUPP;
  show(skb);
  return 0;
}

long bpf_skb_vlan_pop(__sk_buff* skb) {
  const auto tagged = [] {
    std::uint8_t type[2] = {};
    return host().packet.load(12, type, sizeof type) &&
           ((type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8));
  };
  if (host().fails()) return -ENOMEM;
  if (skb->vlan_present != 0) {
    skb->vlan_present = 0;
  } else if (!tagged()) {
    return 0;
  } else if (!host().packet.erase(12, 4)) {
    return -ENOMEM;
  }
  if (tagged()) {  // the next one moves into the metadata
    if (!host().packet.erase(12, 4)) return -ENOMEM;
    skb->vlan_present = 1;
  }
  show(skb);
  return 0;
}

long bpf_l4_csum_replace(__sk_buff* skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                         std::uint64_t flags) {
  std::uint16_t check = 0;
  if (from != 0 || host().fails() || !host().packet.load(offset, &check, sizeof check))
    return -EFAULT;
  const bool mangled_0 = (flags & BPF_F_MARK_MANGLED_0) != 0;
  const bool pseudo = (flags & BPF_F_PSEUDO_HDR) != 0;
  if (mangled_0 && check == 0) return 0;
  if (!host().partial_checksum)
    check = static_cast<std::uint16_t>(~folded(to + static_cast<std::uint16_t>(~check)));
  else if (pseudo)
    check = static_cast<std::uint16_t>(folded(to + check));
  if (mangled_0 && check == 0) check = 0xffff;
  if (offset + sizeof check > host().packet.linear()) host().packet.pull(offset + sizeof check);
  host().packet.store(offset, &check, sizeof check);
  show(skb);
  return 0;
}
}
