#include "support/packet_judge.h"

namespace flare::test {

std::uint64_t PacketJudge::entries() const {
  return *maps_.flows.count() + *maps_.embryos.count() + *maps_.fragments.count();
}

void PacketJudge::look(flare_hook hook, const fuzz::Frame& frame, bool counts) {
  using Kind = fuzz::FrameView::Kind;
  counts_ = counts;
  in_ = {};
  in_.hook = hook;
  in_.frame = frame;
  in_.view = fuzz::FrameView::of(frame);
  const flare_flow_key& key = in_.view.key;
  if (in_.view.kind == Kind::kLaterFragment)
    in_.known = maps_.fragments.lookup(in_.view.piece).has_value();
  else if (in_.view.kind != Kind::kNone)
    in_.known = find_flow(key).has_value();
  if (in_.view.kind == Kind::kTransport) {
    const bool egress = hook == FLARE_HOOK_TC_EGRESS;
    service_ = maps_.services.lookup({.addr = egress ? key.src : key.dst,
                                      .port = egress ? key.sport : key.dport,
                                      .proto = key.proto,
                                      .zero = 0});
    in_.service = service_ ? &*service_ : nullptr;
  }
  if (counts_) in_.entries = entries();
}

std::string PacketJudge::verdict_on(int verdict, const fuzz::Frame& frame, unsigned reason,
                                    unsigned counted) {
  fuzz::Left out;
  out.verdict = verdict;
  out.frame = frame;
  out.view = fuzz::FrameView::of(frame);
  out.reason = reason;
  out.counted = counted;
  if (counts_) out.entries = entries();
  std::string broken = broken_by(out);
  if (broken.empty() || !evicts()) return broken;
  out.lossy = true;
  return broken_by(out);
}

std::string PacketJudge::broken_by(const fuzz::Left& out) {
  try {
    fuzz::judge(*this, in_, out);
  } catch (const fuzz::RuleBroken& rule) {
    return rule.what();
  }
  return "";
}

std::optional<flare_flow> PacketJudge::find_flow(const flare_flow_key& key) {
  const auto flow = maps_.flows.lookup(key);
  return flow ? flow : maps_.embryos.lookup(key);
}

bool PacketJudge::moves() {
  bool moves = false;
  const auto walked = maps_.services.for_each([&](const auto&, const flare_service& service) {
    moves = moves || service.move != FLARE_MOVE_NONE;
  });
  return walked && moves;
}

/// The kernel's LRU says nothing of what it gives up; it begins to before a map is full.
bool PacketJudge::evicts() {
  return *maps_.flows.count() > maps_.flows.max_entries() / 2 ||
         *maps_.embryos.count() > maps_.embryos.max_entries() / 2;
}

}  // namespace flare::test
