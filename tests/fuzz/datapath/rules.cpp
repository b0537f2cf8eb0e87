#include "datapath/rules.h"

#include <cstring>
#include <string>

#include "datapath/translation.h"

namespace flare::fuzz {
namespace {

std::string dump(const char* title, const Frame& frame) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text = std::string(title) + ", " + std::to_string(frame.size()) + " bytes:";
  for (std::size_t i = 0; i < frame.size(); ++i) {
    text += i % 16 == 0 ? "\n  " : " ";
    text += kDigits[frame[i] >> 4];
    text += kDigits[frame[i] & 15];
  }
  return text + "\n";
}

bool is_transport(const FrameView& view) { return view.kind == FrameView::Kind::kTransport; }

bool is_martian(const flare_addr& addr, bool v6) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&addr);
  if (!v6) return bytes[12] == 0 || bytes[12] == 127 || bytes[12] >= 224;
  std::uint64_t first = 0;
  std::uint32_t third = 0;
  std::memcpy(&first, bytes, sizeof first);
  std::memcpy(&third, bytes + 8, sizeof third);
  return bytes[0] == 0xff || (first == 0 && third == 0);
}

/// Malformed beyond what a receiver's own stack would be asked about; FAULTS of class P9, P10, P15,
/// P16 in docs/packets.md.
bool is_malformed(const Arrived& in) {
  const FrameView& view = in.view;
  if (std::memcmp(&view.key.src, &view.key.dst, sizeof view.key.src) == 0) return true;
  if (is_martian(view.key.src, view.v6)) return true;
  if (view.proto == 17) return view.v6 && !has_checksum(in.frame, view);
  const std::uint8_t flags = view.tcp_flags;
  const bool syn = (flags & 2) != 0, fin_or_rst = (flags & 5) != 0;
  return view.tcp_header < 20 || view.l4 + view.tcp_header > view.end || (syn && fin_or_rst) ||
         (flags & 0x16) == 0;
}

/// A UDP length that no datagram has: seen before anybody asks whose packet it is.
bool has_bad_udp_length(const Arrived& in) {
  if (in.view.proto != 17) return false;
  const unsigned length = in.frame[in.view.l4 + 4] * 256U + in.frame[in.view.l4 + 5];
  return length > 0 && length < 8;
}

void judge_verdict(const Arrived& in, const Left& out) {
  const Verdicts may = verdicts_of(in.hook);
  if (out.verdict != may.pass && out.verdict != may.drop && out.verdict != may.send)
    broken("1: the verdict is pass, drop or send", in, out);
  if (out.counted != 1 || out.reason == FLARE_REASONS_COUNT)
    broken("2: exactly one reason is counted, at its hook", in, out);
  const bool is_pass = out.verdict == may.pass, is_drop = out.verdict == may.drop;
  switch (fate_of(out.reason)) {
    case FLARE_FATE_PUNT:
      if (in.hook != FLARE_HOOK_XDP) broken("1: only XDP has somebody to punt to", in, out);
      [[fallthrough]];
    case FLARE_FATE_PASS:
      if (!is_pass) broken("1: the reason says pass", in, out);
      return;
    case FLARE_FATE_DROP:
      if (!is_drop) broken("1: the reason says drop", in, out);
      return;
    case FLARE_FATE_ANSWER:
      if (is_pass) broken("1: the reason says answer, or drop", in, out);
      return;
    case FLARE_FATE_FORWARD:
      // a tag that cannot be taken off is met after the packet was counted
      if (is_drop && !out.faulty) broken("1: the reason says forward", in, out);
  }
}

bool passed_as_it_came(const Arrived& in, const Left& out) {
  return out.verdict == verdicts_of(in.hook).pass && out.frame == in.frame;
}

void judge_strangers(const Arrived& in, const Left& out) {
  if (in.service != nullptr || in.known) return;
  if (!passed_as_it_came(in, out)) broken("3: not ours: passes as it came", in, out);
  if (out.entries > in.entries) broken("3: not ours: makes no entry", in, out);
}

void judge_malformed(const Arrived& in, const Left& out) {
  const bool decides = in.hook == FLARE_HOOK_XDP || in.hook == FLARE_HOOK_TC_INGRESS;
  if (!decides || !is_transport(in.view) || !in.view.unicast || !in.view.plain ||
      in.service == nullptr || fate_of(out.reason) == FLARE_FATE_PUNT || out.faulty)
    return;
  if (has_bad_udp_length(in)) {
    if (!passed_as_it_came(in, out)) broken("5: malformed, unread: passes as it came", in, out);
  } else if (is_malformed(in)) {
    if (out.entries > in.entries) broken("5: malformed: makes no entry", in, out);
    if (in.service->placement == FLARE_PLACEMENT_BALANCER) {
      if (out.verdict != verdicts_of(in.hook).drop)
        broken("5: malformed: dropped at a balancer", in, out);
    } else if (!passed_as_it_came(in, out)) {
      broken("5: malformed: passes as it came", in, out);
    }
  }
}

}  // namespace

void broken(const char* rule, const Arrived& in, const Left& out) {
  constexpr const char* kHooks[] = {"xdp", "tc-ingress", "tc-companion", "tc-egress"};
  throw RuleBroken(
      std::string("rule broken: ") + rule + "\nhook " + kHooks[in.hook] + ", reason " +
      word_of(out.reason) + " (" + std::to_string(out.counted) + " counted), verdict " +
      std::to_string(out.verdict) + ", how " + std::to_string(in.how) + ", entries " +
      std::to_string(in.entries) + " -> " + std::to_string(out.entries) + ", " +
      (in.service != nullptr ? "a service's" : "no service's") + (in.known ? ", of a flow" : "") +
      "\n" + dump("arrived", in.frame) + dump("left", out.frame));
}

void judge(Ground& ground, const Arrived& in, const Left& out) {
  judge_verdict(in, out);
  judge_strangers(in, out);
  judge_malformed(in, out);
  const flare_fate fate = fate_of(out.reason);
  const bool vm = out.reason >= FLARE_REASON_VM_NEW && out.reason <= FLARE_REASON_VM_REPLY;
  if (fate == FLARE_FATE_FORWARD && out.verdict != verdicts_of(in.hook).drop) {
    judge_translation(ground, in, out);
  } else if (fate == FLARE_FATE_ANSWER) {
    judge_answer(in, out);
  } else if (fate != FLARE_FATE_DROP && vm && ground.moves()) {
    judge_moved(in, out);
  } else if (out.verdict == verdicts_of(in.hook).pass && out.frame != in.frame) {
    broken("1: what passes is as it came", in, out);
  }
}

}  // namespace flare::fuzz
