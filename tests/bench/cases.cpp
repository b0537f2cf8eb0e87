#include "cases.h"

#include <arpa/inet.h>

#include <stdexcept>

namespace flare::bench {
namespace {

using test::Packet;
using test::TcpFlags;

constexpr std::uint32_t k64Ki = 1U << 16, k1Mi = 1U << 20;
/// So many new flows come by before one comes again that nothing remembers it.
constexpr std::uint32_t kEndless = 1U << 28;
/// The hooks share their maps, so that what is new at one of them must not have been seen at
/// another.
constexpr std::uint32_t kClientsOfAHook = kEndless >> BENCH_PORT_BITS;
/// Two entries each; `embryos` has room for 131,072 and pushes nobody out.
constexpr std::uint32_t kNewFlowsARound = 32'768;

std::uint32_t last_word(const std::string& address) {
  const auto parsed = Address::parse(address);
  if (!parsed) throw std::runtime_error("not an address: " + address);
  return ntohl(parsed->raw.word[3]);
}

/// One hook, family and protocol: what the cases have in common.
struct Setting {
  flare_hook hook;
  Family family;
  Protocol protocol;

  bool v4() const { return family == Family::kV4; }
  bool tcp() const { return protocol == Protocol::kTcp; }
  std::string prefix() const {
    const std::string where = hook == FLARE_HOOK_XDP         ? "xdp_"
                              : hook == FLARE_HOOK_TC_EGRESS ? "egress_"
                                                             : "tc_";
    return where + (v4() ? "v4_" : "v6_") + (tcp() ? "tcp_" : "udp_");
  }
  std::string words() const {
    return std::string(v4() ? "IPv4 " : "IPv6 ") + (tcp() ? "TCP" : "UDP");
  }

  /// A frame of BENCH_FRAME_BYTES. A SYN is padded, anything else carries payload.
  Packet packet(const std::string& src, std::uint16_t sport, const std::string& dst,
                std::uint16_t dport, std::uint8_t flags = TcpFlags::kAck) const {
    Packet made = tcp() ? test::tcp(at(src, sport), at(dst, dport), flags)
                        : test::udp(at(src, sport), at(dst, dport), "");
    const std::size_t missing = BENCH_FRAME_BYTES - made.bytes().size();
    if (flags == TcpFlags::kSyn)
      made.frame_padding = missing;
    else
      made.payload = test::Bytes(missing, 'x');
    return made;
  }
  Case make(const std::string& key, const std::string& title, Packet packet,
            flare_reason reason) const {
    Case made;
    made.key = prefix() + key;
    made.title = words() + ", " + title;
    made.hook = hook;
    made.packet = std::move(packet);
    made.reason = reason;
    return made;
  }
  /// Lets the packets of a case come from `flows` clients; `replies`: go to as many NAT ports.
  Case walk(Case walked, std::uint32_t flows, const std::string& first,
            bool replies = false) const {
    if (v4())
      walked.shape = replies ? BENCH_V4_DPORT : BENCH_V4_SPORT;
    else
      walked.shape = replies ? BENCH_V6_DPORT : BENCH_V6_SPORT;
    walked.flows = flows;
    walked.addr_base = last_word(first);
    return walked;
  }

  /// Lets each packet of a case open a flow.
  Case walk_new(const Case& walked) const {
    Case made = walk(walked, kEndless, other_client(family));
    if (hook != FLARE_HOOK_XDP) made.addr_base += kClientsOfAHook;
    return made;
  }

  Packet to_host(std::uint16_t port, std::uint8_t flags = TcpFlags::kAck) const {
    return packet(other_client(family), BENCH_PORT_BASE, host_address(family), port, flags);
  }
  Packet calm(std::uint8_t flags = TcpFlags::kAck) const {
    return to_host(service_port(Role::kCalm), flags);
  }
};

std::string number_word(std::uint32_t flows) {
  return flows == k1Mi ? "1Mi" : flows == k64Ki ? "64Ki" : std::to_string(flows);
}
std::string flows_word(std::uint32_t flows) {
  return number_word(flows) + (flows == 1 ? " flow" : " flows");
}
std::string number_key(std::uint32_t flows) {
  return flows == k1Mi ? "1mi" : flows == k64Ki ? "64ki" : std::to_string(flows);
}

std::string beside_key(std::uint32_t spilled) {
  return spilled == 0 ? "" : "_beside_" + number_key(spilled);
}
std::string beside_word(std::uint32_t spilled) {
  return spilled == 0 ? "" : " (" + number_word(spilled) + " others spilled)";
}

Case other_protocol(const Setting& with) {
  Packet arp = with.to_host(22);
  arp.ether_type = 0x0806;
  Case made = with.make("", "", arp, FLARE_REASON_NOT_IP);
  made.key = with.hook == FLARE_HOOK_XDP ? "xdp_arp" : "tc_arp";
  made.title = "ARP";
  return made;
}
Case not_ours(const Setting& with) {
  return with.make("not_ours", "to another host",
                   with.packet(other_client(with.family), 40000,
                               with.v4() ? "203.0.113.200" : "2001:db8:5::200", 443),
                   FLARE_REASON_NOT_SERVICE);
}
Case other_port(const Setting& with) {
  return with.make("other_port", "to the service's host, another port", with.to_host(22),
                   FLARE_REASON_NOT_SERVICE);
}
Case nat_range(const Setting& with) {
  return with.make("nat_range", "to the service's host, a port of the NAT range",
                   with.to_host(BENCH_PORT_BASE), FLARE_REASON_NOT_SERVICE);
}
/// `spilled` flows of the same service exist; 0: there never were any.
Case vm_known(const Setting& with, std::uint32_t flows, std::uint32_t spilled) {
  return with.walk(with.make("vm_known_" + number_key(flows) + beside_key(spilled),
                             "VM tier, known, " + flows_word(flows) + beside_word(spilled),
                             with.calm(), FLARE_REASON_VM_KNOWN),
                   flows, other_client(with.family));
}
Case vm_new(const Setting& with, std::uint32_t spilled) {
  return with.walk_new(with.make("vm_new" + beside_key(spilled),
                                 "VM tier, each packet new" + beside_word(spilled),
                                 with.calm(TcpFlags::kSyn), FLARE_REASON_VM_NEW));
}

Case spill_known(const Setting& with, std::uint32_t flows) {
  Case made = with.make("spill_known_" + number_key(flows),
                        "spilled, from the client, " + flows_word(flows),
                        with.packet(spilled_client(with.family), BENCH_PORT_BASE,
                                    host_address(with.family), service_port(Role::kCalm)),
                        FLARE_REASON_SPILL_KNOWN);
  made.verdict = BENCH_FORWARD;
  return with.walk(made, flows, spilled_client(with.family));
}
Case spill_reply(const Setting& with, std::uint32_t flows) {
  Case made = with.make("spill_reply_" + number_key(flows),
                        "spilled, from the backend, " + flows_word(flows),
                        with.packet(first_backend(with.family), kBackendPort,
                                    host_address(with.family), BENCH_PORT_BASE),
                        FLARE_REASON_SPILL_REPLY);
  made.verdict = BENCH_FORWARD;
  return with.walk(made, flows, first_backend(with.family), true);
}
Case spill_new(const Setting& with, bool full) {
  Case made = with.make(
      full ? "spill_new_full" : "spill_new",
      full ? "spilled, each packet new, handshakes full" : "spilled, each packet new",
      with.to_host(service_port(Role::kSpilling), TcpFlags::kSyn), FLARE_REASON_SPILL_NEW);
  made.verdict = BENCH_FORWARD;
  made.empty_embryos = !full;
  made.packets = kNewFlowsARound;
  return with.walk_new(made);
}

Case forward_known(const Setting& with, std::uint32_t flows) {
  Case made = with.make("forward_known_" + number_key(flows),
                        "balanced, from the client, " + flows_word(flows),
                        with.packet(spilled_client(with.family), BENCH_PORT_BASE,
                                    host_address(with.family), service_port(Role::kBalanced)),
                        FLARE_REASON_FORWARD_KNOWN);
  made.verdict = BENCH_FORWARD;
  return with.walk(made, flows, spilled_client(with.family));
}
Case forward_reply(const Setting& with, std::uint32_t flows) {
  Case made = spill_reply(with, flows);
  made.key = with.prefix() + "forward_reply_" + number_key(flows);
  made.title = with.words() + ", balanced, from the backend, " + flows_word(flows);
  made.reason = FLARE_REASON_FORWARD_REPLY;
  return made;
}
Case forward_new(const Setting& with) {
  Case made = with.make("forward_new", "balanced, each packet new",
                        with.to_host(service_port(Role::kBalanced), TcpFlags::kSyn),
                        FLARE_REASON_FORWARD_NEW);
  made.verdict = BENCH_FORWARD;
  made.empty_embryos = true;
  made.packets = kNewFlowsARound;
  return with.walk_new(made);
}

/// Packets of the VM tier and of nobody, in the state that the maps are in; `state` names it.
void add_calm_cases(Phase& phase, flare_hook hook) {
  const Setting tcp4{hook, Family::kV4, Protocol::kTcp}, tcp6{hook, Family::kV6, Protocol::kTcp},
      udp4{hook, Family::kV4, Protocol::kUdp};
  for (Case made :
       {other_protocol(tcp4), not_ours(tcp4), other_port(tcp4), nat_range(tcp4),
        vm_known(tcp4, 1, 0), vm_known(tcp4, k64Ki, 0), vm_known(tcp4, k1Mi, 0), vm_new(tcp4, 0),
        not_ours(tcp6), other_port(tcp6), vm_known(tcp6, 1, 0), vm_known(tcp6, k64Ki, 0),
        vm_new(tcp6, 0), vm_known(udp4, 1, 0), vm_new(udp4, 0)})
    phase.cases.push_back(std::move(made));
}

/// Replies of the host itself, which only pass by.
void add_egress_cases(Phase& phase) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    const Setting with{FLARE_HOOK_TC_EGRESS, family, Protocol::kTcp};
    const auto sent = [&with](std::uint16_t port) {
      return with.packet(host_address(with.family), port, other_client(with.family), 40000);
    };
    phase.cases.push_back(
        with.make("not_ours", "leaving, of no service", sent(22), FLARE_REASON_NOT_SERVICE));
    phase.cases.push_back(with.make("vm_reply", "leaving, reply of the VM tier",
                                    sent(service_port(Role::kCalm)), FLARE_REASON_VM_REPLY));
  }
}

constexpr flare_hook kIngress[] = {FLARE_HOOK_XDP, FLARE_HOOK_TC_INGRESS};

Phase calm_phase() {
  Phase phase{.title = "nothing was ever spilled", .spilled = {}, .cases = {}};
  for (const flare_hook hook : kIngress) add_calm_cases(phase, hook);
  add_egress_cases(phase);
  return phase;
}

/// Established flows of one kind, `count` of them, and the VM tier beside them.
Phase spilled_phase(Family family, Protocol protocol, std::uint32_t count) {
  Phase phase;
  phase.spilled = {.family = family, .protocol = protocol, .count = count};
  phase.title =
      Setting{FLARE_HOOK_XDP, family, protocol}.words() + ", " + flows_word(count) + " spilled";
  const bool main = family == Family::kV4 && protocol == Protocol::kTcp;
  for (const flare_hook hook : kIngress) {
    const Setting with{hook, family, protocol};
    phase.cases.push_back(spill_known(with, count));
    phase.cases.push_back(spill_reply(with, count));
    if (main) phase.cases.push_back(vm_known(with, 1, count));
    if (main && count > 1) phase.cases.push_back(vm_known(with, k64Ki, count));
    if (main && count > 1) phase.cases.push_back(vm_new(with, count));
    if (count == 1) phase.cases.push_back(spill_new(with, false));
    if (main && count == 1) phase.cases.push_back(spill_new(with, true));
  }
  return phase;
}

/// `count` established flows of a balancer, whose VM tier has backends.
Phase balanced_phase(std::uint32_t count) {
  Phase phase;
  phase.spilled = {
      .family = Family::kV4, .protocol = Protocol::kTcp, .count = count, .role = Role::kBalanced};
  phase.title = "IPv4 TCP, " + flows_word(count) + " balanced";
  for (const flare_hook hook : kIngress) {
    const Setting with{hook, Family::kV4, Protocol::kTcp};
    phase.cases.push_back(forward_known(with, count));
    phase.cases.push_back(forward_reply(with, count));
    if (count == 1) phase.cases.push_back(forward_new(with));
  }
  return phase;
}

}  // namespace

std::vector<Phase> all_phases() {
  return {calm_phase(),
          spilled_phase(Family::kV4, Protocol::kTcp, 1),
          spilled_phase(Family::kV6, Protocol::kTcp, 1),
          spilled_phase(Family::kV4, Protocol::kUdp, 1),
          spilled_phase(Family::kV4, Protocol::kTcp, k64Ki),
          spilled_phase(Family::kV6, Protocol::kTcp, k64Ki),
          spilled_phase(Family::kV4, Protocol::kTcp, k1Mi),
          balanced_phase(1),
          balanced_phase(k64Ki),
          balanced_phase(k1Mi)};
}

}  // namespace flare::bench
