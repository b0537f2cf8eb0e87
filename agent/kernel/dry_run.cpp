#include "kernel/dry_run.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "kernel/libbpf_options.h"
#include "kernel/privilege.h"
#include "kernel/reset_frame.h"
#include "model/address.h"
#include "model/words.h"

namespace flare {
namespace {

using Frame = std::vector<std::uint8_t>;

/// A packet, and what a program that sees it first (ingress) must do with it.
struct Trial {
  std::string what;
  Frame frame;
  flare_reason reason;
  bool dropped = false;
};

constexpr std::size_t kArpBytes = sizeof(ether_header) + 28;
/// The kernel runs no tc program on less of an IPv4 packet.
constexpr std::size_t kCutBytes = sizeof(ether_header) + 20;

/// One of the ranges for documentation.
Address documentation_address(bool v4, char host) {
  return *Address::parse(std::string(v4 ? "192.0.2." : "2001:db8::") + host);
}

/// From and to port 0, which no service, flow or NAT port has.
Frame of_no_service(bool v4) {
  flare_flow_key flow{};
  flow.src = documentation_address(v4, '1').raw;
  flow.dst = documentation_address(v4, '2').raw;
  flow.proto = IPPROTO_TCP;
  return reset_frame(flow, 1, 1);
}

Frame arp() {
  Frame frame(kArpBytes);
  frame[offsetof(ether_header, ether_type)] = ETHERTYPE_ARP >> 8;
  frame[offsetof(ether_header, ether_type) + 1] = ETHERTYPE_ARP & 0xff;
  return frame;
}

Frame cut() {
  Frame frame = of_no_service(true);
  frame.resize(kCutBytes);
  return frame;
}

/// A segment without any flag: nothing that a flow could be made of.
Trial to_service(const flare_service_key& key, const flare_service& service) {
  const bool v4 = Address{key.addr}.is_v4();
  flare_flow_key flow{};
  const bool is_first = documentation_address(v4, '1') == Address{key.addr};
  flow.src = documentation_address(v4, is_first ? '2' : '1').raw;
  flow.dst = key.addr;
  flow.dport = key.port;
  flow.proto = IPPROTO_TCP;
  Frame frame = reset_frame(flow, 1, 1);
  constexpr std::size_t kFlags = 13;  // of the TCP header
  frame[frame.size() - sizeof(tcphdr) + kFlags] = 0;
  const bool ends_here = service.placement == FLARE_PLACEMENT_BALANCER;
  return {"a segment without flags to " + Endpoint{Address{key.addr}, ntohs(key.port)}.text(),
          std::move(frame), ends_here ? FLARE_REASON_MALFORMED : FLARE_REASON_BAD_TCP_FLAGS,
          ends_here};
}

/// What a hook that is not the first to see a packet makes of it.
Trial as_seen_by(flare_hook hook, Trial trial) {
  if (hook == FLARE_HOOK_TC_COMPANION && !trial.dropped) trial.reason = FLARE_REASON_NOT_PUNTED;
  return trial;
}

Result<std::vector<Trial>> trials_for(flare_hook hook, const Maps& maps) {
  std::vector<Trial> trials{
      {"ARP", arp(), FLARE_REASON_NOT_IP},
      {"IPv4 to no service", of_no_service(true), FLARE_REASON_NOT_SERVICE},
      {"IPv6 to no service", of_no_service(false), FLARE_REASON_NOT_SERVICE},
      {"IPv4 that is cut", cut(), FLARE_REASON_TRUNCATED},
  };
  // Egress looks for what services send.
  if (hook != FLARE_HOOK_TC_EGRESS) {
    bool found = false;
    auto read = maps.services.for_each([&](const auto& key, const flare_service& service) {
      if (found || key.proto != IPPROTO_TCP) return;
      found = true;
      trials.push_back(to_service(key, service));
    });
    if (!read) return read.error();
  }
  for (Trial& trial : trials) trial = as_seen_by(hook, std::move(trial));
  return trials;
}

/// What is wrong with the program, in words; empty where nothing is.
Result<std::string> fault_of(flare_hook hook, int program_fd, const Maps& maps,
                             const Trial& trial) {
  // No longer than it was, unless the program makes it so.
  Frame out(trial.frame.size() + 256);
  bpf_test_run_opts options;
  reset_libbpf_options(options);
  options.data_in = trial.frame.data();
  options.data_size_in = static_cast<__u32>(trial.frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<__u32>(out.size());
  options.repeat = 1;
  const std::uint64_t before = maps.reason_totals().packets[hook][trial.reason];
  const int failed = bpf_prog_test_run_opts(program_fd, &options);
  if (failed != 0) return refused("cannot run it", -failed, "CAP_BPF and CAP_NET_ADMIN");
  const bool is_xdp = hook == FLARE_HOOK_XDP;
  const auto pass = is_xdp ? static_cast<__u32>(XDP_PASS) : static_cast<__u32>(TC_ACT_UNSPEC);
  const auto drop = is_xdp ? static_cast<__u32>(XDP_DROP) : static_cast<__u32>(TC_ACT_SHOT);
  const __u32 wanted = trial.dropped ? drop : pass;
  if (options.retval != wanted) {
    return "it returned " + std::to_string(static_cast<std::int32_t>(options.retval)) + ", not " +
           std::to_string(static_cast<std::int32_t>(wanted));
  }
  out.resize(std::min<std::size_t>(out.size(), options.data_size_out));
  if (out != trial.frame) return std::string("it changed the packet");
  if (maps.reason_totals().packets[hook][trial.reason] == before) {
    return "it did not count '" + std::string(reason_word(trial.reason)) + "'";
  }
  return std::string();
}

}  // namespace

Result<void> dry_run(flare_hook hook, int program_fd, const Maps& maps) {
  auto trials = trials_for(hook, maps);
  if (!trials) return trials.error();
  for (const Trial& trial : *trials) {
    auto fault = fault_of(hook, program_fd, maps, trial);
    const std::string program = "the dry run of the " + std::string(hook_word(hook)) + " program";
    if (!fault) return fault.error().within(program);
    if (fault->empty()) continue;
    return Error(program + " failed on a made packet (" + trial.what + "): " + *fault +
                 "; nothing was attached or replaced");
  }
  return {};
}

}  // namespace flare
