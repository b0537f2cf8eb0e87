#include "datapath/translation.h"

#include <cstring>

#include "datapath/input.h"

namespace flare::fuzz {
namespace {

bool same(const flare_addr& a, const flare_addr& b) { return std::memcmp(&a, &b, sizeof a) == 0; }
bool same(const flare_flow_key& a, const flare_flow_key& b) {
  return same(a.src, b.src) && same(a.dst, b.dst) && a.sport == b.sport && a.dport == b.dport &&
         a.proto == b.proto;
}

void blank(Frame& bytes, std::size_t at, std::size_t count) {
  for (std::size_t i = at; i < at + count && i < bytes.size(); ++i) bytes[i] = 0;
}

/// From the IP header on, without what a translation may change.
Frame kept(const Frame& frame, const FrameView& view) {
  Frame bytes(frame.begin() + static_cast<std::ptrdiff_t>(view.l3), frame.end());
  const std::size_t l4 = view.l4 - view.l3;
  if (view.v6) {
    blank(bytes, 7, 33);
  } else {
    blank(bytes, 8, 1);
    blank(bytes, 10, 10);
  }
  if (view.kind == FrameView::Kind::kTransport) {
    blank(bytes, l4, 4);
    blank(bytes, l4 + (view.proto == 6 ? 16 : 6), 2);
  } else if (view.kind == FrameView::Kind::kIcmpError) {
    const std::size_t quote = l4 + 8;
    const std::size_t header = view.v6 ? 40U : (bytes[quote] & 15U) * 4U;
    blank(bytes, l4 + 2, 2);
    if (view.v6)
      blank(bytes, quote + 8, 32);
    else
      blank(bytes, quote + 10, 10);
    blank(bytes, quote + header, 4);
    blank(bytes, quote + header + (view.key.proto == 6 ? 16 : 6), 2);
  }
  return bytes;
}

bool sums_kept(const Arrived& in, const Left& out) {
  if (!in.view.v6 && header_sum(in.frame, in.view) != header_sum(out.frame, out.view)) return false;
  if (in.view.kind == FrameView::Kind::kLaterFragment || !has_checksum(in.frame, in.view))
    return true;
  if (!has_checksum(out.frame, out.view)) return false;
  const bool icmp = in.view.kind == FrameView::Kind::kIcmpError;
  if (!icmp && in.hook != FLARE_HOOK_XDP && (in.how & (kHowPartial | kHowGso)) != 0)
    return partial_sum(in.frame, in.view) == partial_sum(out.frame, out.view);
  return transport_sum(in.frame, in.view) == transport_sum(out.frame, out.view);
}

/// The packet that the maps ask for, and the one that leads back.
void judge_way(Ground& ground, const Arrived& in, const Left& out) {
  const auto flow = ground.find_flow(in.view.key);
  if (!flow) {
    if (!out.lossy) broken("4: translated: its flow is recorded", in, out);
    return;
  }
  const flare_flow_key there = turned_round(flow->peer);
  if (!same(there, out.view.key)) broken("4: translated: as its flow says", in, out);
  if (in.view.kind != FrameView::Kind::kTransport) return;
  const auto back = ground.find_flow(flow->peer);
  if (back ? !same(back->peer, in.view.key) : !out.lossy && !ground.evicts())
    broken("4: translated: the maps hold the way back", in, out);
}

}  // namespace

void judge_translation(Ground& ground, const Arrived& in, const Left& out) {
  const bool to_stack = out.verdict == verdicts_of(in.hook).pass;
  const bool tcp = in.view.kind == FrameView::Kind::kTransport && in.view.proto == 6;
  if (in.view.kind == FrameView::Kind::kNone || out.view.kind != in.view.kind)
    broken("4: translated: still what it was", in, out);
  if (out.view.ttl != in.view.ttl - (to_stack ? 0 : 1))
    broken("4: translated: a hop less to live", in, out);
  if (!sums_kept(in, out)) broken("4: translated: sums as they were", in, out);
  if (in.view.kind == FrameView::Kind::kLaterFragment) {
    if (kept(in.frame, in.view) != kept(out.frame, out.view))
      broken("4: translated: the rest is as it was", in, out);
    return;
  }
  if (kept(in.frame, in.view) != kept(out.frame, out.view) && !(tcp && ground.moves()))
    broken("4: translated: the rest is as it was", in, out);
  judge_way(ground, in, out);
}

void judge_answer(const Arrived& in, const Left& out) {
  if (out.verdict == verdicts_of(in.hook).drop) return;
  if (in.view.kind != FrameView::Kind::kTransport || !in.view.plain || in.view.tags != 0)
    broken("4: answer: only to plain packets", in, out);
  if (out.view.end == 0 || out.view.end > out.frame.size() || out.view.ttl != 64)
    broken("4: answer: is a packet", in, out);
  if (std::memcmp(&out.frame[0], &in.frame[6], 6) != 0)
    broken("4: answer: to the link's sender", in, out);
  const flare_addr &to = in.view.key.src, &from = in.view.key.dst;
  if (out.view.proto != 6) {
    // the quote is the packet itself, turned round by FrameView
    if (out.view.kind != FrameView::Kind::kIcmpError ||
        !same(out.view.key, turned_round(in.view.key)))
      broken("4: answer: quotes the packet", in, out);
    if ((!out.view.v6 && header_sum(out.frame, out.view) != 0) ||
        transport_sum(out.frame, out.view) != 0)
      broken("4: answer: right sums", in, out);
    return;
  }
  if (!same(out.view.key.src, from) || !same(out.view.key.dst, to) ||
      out.view.key.sport != in.view.key.dport || out.view.key.dport != in.view.key.sport)
    broken("4: answer: to the sender", in, out);
  if (!in.view.v6 && header_sum(in.frame, in.view) != header_sum(out.frame, out.view))
    broken("4: answer: sum of the IP header as it was", in, out);
  if (transport_sum(out.frame, out.view) != 0 && partial_sum(out.frame, out.view) != 0)
    broken("4: answer: right sums", in, out);
  const bool acknowledges = (in.view.tcp_flags & 0x10) != 0;
  const std::uint32_t takes = static_cast<std::uint32_t>(in.view.end - in.view.payload_at()) +
                              (in.view.tcp_flags >> 1 & 1U) + (in.view.tcp_flags & 1U);
  if ((in.view.tcp_flags & 4) != 0 || (out.view.tcp_flags & 4) == 0 ||
      out.view.seq != (acknowledges ? in.view.ack : 0) ||
      out.view.ack != (acknowledges ? 0 : in.view.seq + takes))
    broken("4: answer: the reset of RFC 9293, 3.10.7.1", in, out);
}

void judge_moved(const Arrived& in, const Left& out) {
  if (out.frame == in.frame) return;
  if (in.view.kind != FrameView::Kind::kTransport || in.view.proto != 6 ||
      out.view.kind != in.view.kind || !same(in.view.key, out.view.key))
    broken("4: told to end: still what it was", in, out);
  if (out.view.ttl != in.view.ttl || !sums_kept(in, out))
    broken("4: told to end: sums as they were", in, out);
}

}  // namespace flare::fuzz
