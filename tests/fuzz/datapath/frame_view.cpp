#include "datapath/frame_view.h"

#include <cstring>

namespace flare::fuzz {
namespace {

std::uint32_t be16(const Frame& frame, std::size_t at) {
  return static_cast<std::uint32_t>(frame[at]) << 8 | frame[at + 1];
}
std::uint32_t be32(const Frame& frame, std::size_t at) {
  return be16(frame, at) << 16 | be16(frame, at + 2);
}

flare_addr address_v4(const Frame& frame, std::size_t at) {
  flare_addr address{};
  const std::uint8_t mapped[] = {0xff, 0xff};
  auto* bytes = reinterpret_cast<std::uint8_t*>(&address);
  std::memcpy(bytes + 10, mapped, 2);
  std::memcpy(bytes + 12, &frame[at], 4);
  return address;
}

flare_addr address_v6(const Frame& frame, std::size_t at) {
  flare_addr address{};
  std::memcpy(&address, &frame[at], sizeof address);
  return address;
}

/// ::ffff:a.b.c.d, which stands for an IPv4 address.
bool is_mapped(const flare_addr& addr) {
  const std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(&addr, mapped, sizeof mapped) == 0;
}

/// Reads one frame, header by header; each step says whether there is a next one.
class Reader {
 public:
  Reader(const Frame& frame, bool gso) : frame_(frame), gso_(gso) {}

  FrameView read() {
    if (!ethernet() || !(view_.v6 ? ipv6() : ipv4())) return view_;
    if (later_) {
      view_.kind = FrameView::Kind::kLaterFragment;
    } else if (view_.proto == 6 || view_.proto == 17) {
      transport();
    } else if (view_.proto == (view_.v6 ? 58 : 1) && !view_.first_fragment) {
      icmp();
    }
    return view_;
  }

 private:
  bool has(std::size_t at, std::size_t bytes) const { return at + bytes <= frame_.size(); }

  bool ethernet() {
    if (!has(0, 14)) return false;
    view_.unicast = (frame_[0] & 1) == 0;
    std::size_t type_at = 12;
    while (be16(frame_, type_at) == 0x8100 || be16(frame_, type_at) == 0x88a8) {
      type_at += 4;
      if (++view_.tags > 2 || !has(type_at, 2)) return false;
    }
    view_.l3 = type_at + 2;
    view_.v6 = be16(frame_, type_at) == 0x86dd;
    return view_.v6 || be16(frame_, type_at) == 0x0800;
  }

  /// A length field that counts from `header` bytes behind the start of the IP header.
  std::size_t length_of(std::size_t told, std::size_t header) const {
    const std::size_t all = frame_.size() - view_.l3;
    return told == 0 && gso_ && all >= header ? all - header : told;
  }

  bool ipv4() {
    if (!has(view_.l3, 20) || frame_[view_.l3] >> 4 != 4) return false;
    const std::size_t header = (frame_[view_.l3] & 15U) * 4U;
    const std::size_t total = length_of(be16(frame_, view_.l3 + 2), 0);
    if (header < 20 || total < header || !has(view_.l3, total)) return false;
    const std::uint32_t fragment = be16(frame_, view_.l3 + 6);
    view_.l4 = view_.l3 + header;
    view_.end = view_.l3 + total;
    view_.ttl = frame_[view_.l3 + 8];
    view_.proto = frame_[view_.l3 + 9];
    view_.key.src = address_v4(frame_, view_.l3 + 12);
    view_.key.dst = address_v4(frame_, view_.l3 + 16);
    view_.plain = header == 20 && (fragment & 0x3fff) == 0;
    view_.first_fragment = (fragment & 0x3fff) == 0x2000;
    later_ = (fragment & 0x1fff) != 0;
    auto* id = reinterpret_cast<std::uint8_t*>(&view_.piece.id);
    std::memcpy(id + 2, &frame_[view_.l3 + 4], 2);
    name_piece(view_.proto);
    return true;
  }

  bool ipv6() {
    if (!has(view_.l3, 40) || frame_[view_.l3] >> 4 != 6) return false;
    view_.end = view_.l3 + 40 + length_of(be16(frame_, view_.l3 + 4), 40);
    if (view_.end > frame_.size()) return false;
    view_.ttl = frame_[view_.l3 + 7];
    view_.proto = frame_[view_.l3 + 6];
    view_.l4 = view_.l3 + 40;
    view_.key.src = address_v6(frame_, view_.l3 + 8);
    view_.key.dst = address_v6(frame_, view_.l3 + 24);
    view_.plain = true;
    // nobody sends these; refused before anybody asks whose packet it is
    return !is_mapped(view_.key.src) && !is_mapped(view_.key.dst) && extensions();
  }

  bool extensions() {
    for (int i = 0; i < 6; ++i) {
      if (view_.proto != 0 && view_.proto != 43 && view_.proto != 60 && view_.proto != 44)
        return true;
      view_.plain = false;
      if (!has(view_.l4, 8)) return false;
      const std::uint8_t kind = view_.proto;
      view_.proto = frame_[view_.l4];
      if (kind == 44) {
        const std::uint32_t fragment = be16(frame_, view_.l4 + 2);
        std::memcpy(&view_.piece.id, &frame_[view_.l4 + 4], 4);
        name_piece(view_.proto);
        later_ = (fragment & 0xfff8) != 0;
        view_.first_fragment = !later_ && (fragment & 1) != 0;
        view_.l4 += 8;
        if (later_) return true;
      } else {
        view_.l4 += 8 + frame_[view_.l4 + 1] * 8U;
      }
    }
    return true;
  }

  void name_piece(std::uint8_t proto) {
    view_.piece.src = view_.key.src;
    view_.piece.dst = view_.key.dst;
    view_.piece.proto = proto;
  }

  void transport() {
    const std::size_t header = view_.proto == 6 ? 20 : 8;
    if (view_.l4 + header > view_.end) return;
    view_.kind = FrameView::Kind::kTransport;
    view_.key.proto = view_.proto;
    std::memcpy(&view_.key.sport, &frame_[view_.l4], 2);
    std::memcpy(&view_.key.dport, &frame_[view_.l4 + 2], 2);
    if (view_.proto != 6) return;
    view_.seq = be32(frame_, view_.l4 + 4);
    view_.ack = be32(frame_, view_.l4 + 8);
    view_.tcp_header = static_cast<std::uint8_t>((frame_[view_.l4 + 12] >> 4) * 4);
    view_.tcp_flags = frame_[view_.l4 + 13] & 0x3f;
  }

  void icmp() {
    if (view_.l4 + 8 > view_.end) return;
    const std::size_t quote = view_.l4 + 8, header = view_.v6 ? 40 : 20;
    if (quote + header + 8 > view_.end) return;
    const std::size_t ports = view_.v6 ? quote + 40 : quote + (frame_[quote] & 15U) * 4U;
    if (ports + 8 > view_.end) return;
    view_.key.proto = view_.v6 ? frame_[quote + 6] : frame_[quote + 9];
    view_.key.dst = view_.v6 ? address_v6(frame_, quote + 8) : address_v4(frame_, quote + 12);
    view_.key.src = view_.v6 ? address_v6(frame_, quote + 24) : address_v4(frame_, quote + 16);
    std::memcpy(&view_.key.dport, &frame_[ports], 2);
    std::memcpy(&view_.key.sport, &frame_[ports + 2], 2);
    view_.kind = FrameView::Kind::kIcmpError;
  }

  const Frame& frame_;
  bool gso_;
  FrameView view_;
  bool later_ = false;
};

std::uint32_t folded(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(sum);
}

std::uint32_t pseudo_sum(const Frame& frame, const FrameView& view) {
  const std::size_t at = view.l3 + (view.v6 ? 8 : 12), bytes = view.v6 ? 32 : 8;
  return ones_sum(frame, at, at + bytes,
                  folded(view.proto + static_cast<std::uint64_t>(view.end - view.l4)));
}

std::size_t checksum_at(const FrameView& view) {
  return view.l4 + (view.proto == 6 ? 16U : view.proto == 17 ? 6U : 2U);
}

}  // namespace

FrameView FrameView::of(const Frame& frame, bool gso) { return Reader(frame, gso).read(); }

std::uint32_t ones_sum(const Frame& frame, std::size_t from, std::size_t to, std::uint32_t sum) {
  std::uint64_t total = sum;
  for (std::size_t i = from; i < to; ++i)
    total += (i - from) % 2 == 0 ? static_cast<std::uint64_t>(frame[i]) << 8 : frame[i];
  return folded(total);
}

std::uint32_t header_sum(const Frame& frame, const FrameView& view) {
  return ones_sum(frame, view.l3, view.l3 + (frame[view.l3] & 15U) * 4U) % 0xffff;
}

std::uint32_t transport_sum(const Frame& frame, const FrameView& view) {
  const bool pseudo = view.v6 || view.proto != 1;
  return ones_sum(frame, view.l4, view.end, pseudo ? pseudo_sum(frame, view) : 0) % 0xffff;
}

std::uint32_t partial_sum(const Frame& frame, const FrameView& view) {
  const std::size_t at = checksum_at(view);
  return folded(ones_sum(frame, at, at + 2) + 0xffffU - pseudo_sum(frame, view)) % 0xffff;
}

bool has_checksum(const Frame& frame, const FrameView& view) {
  return view.proto != 17 || be16(frame, checksum_at(view)) != 0;
}

flare_flow_key turned_round(const flare_flow_key& key) {
  flare_flow_key turned = key;
  turned.src = key.dst;
  turned.dst = key.src;
  turned.sport = key.dport;
  turned.dport = key.sport;
  return turned;
}

}  // namespace flare::fuzz
