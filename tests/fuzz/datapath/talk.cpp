#include "datapath/talk.h"

#include <string_view>

namespace flare::fuzz {
namespace {

constexpr std::uint8_t kV6 = 0x01, kUdp = 0x02;  // of `who`; two bits of the client's number follow

Frame bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

void add_h2_frame(Frame& to, std::size_t bytes, std::uint8_t type, std::uint8_t flags,
                  std::uint8_t stream) {
  const std::uint8_t head[] = {0,
                               static_cast<std::uint8_t>(bytes >> 8),
                               static_cast<std::uint8_t>(bytes),
                               type,
                               flags,
                               0,
                               0,
                               0,
                               stream};
  to.insert(to.end(), std::begin(head), std::end(head));
  to.insert(to.end(), bytes, 'h');
}

/// A ClientHello with an ALPN extension.
Frame hello(bool h2) {
  Frame hello = {22, 3, 1, 0, 63, 1, 0, 0, 59, 3, 3};
  hello.resize(43, 7);
  const std::uint8_t rest[] = {
      0, 0, 2, 0x13, 1,  1, 0, 0, 16, 0, 0,   0,
      2, 0, 0, 0,    16, 0, 5, 0, 3,  2, 'h', static_cast<std::uint8_t>(h2 ? '2' : '3')};
  hello.insert(hello.end(), std::begin(rest), std::end(rest));
  return hello;
}

Frame tls_data(std::size_t bytes) {
  Frame record = {23, 3, 3, static_cast<std::uint8_t>(bytes >> 8),
                  static_cast<std::uint8_t>(bytes)};
  record.insert(record.end(), bytes, 's');
  return record;
}

}  // namespace

void Talk::step(Input& input, bool packets_only) {
  const std::uint8_t kind = input.byte() % kStepsCount;
  if (packets_only && kind >= kStepTime) {
    input.bytes(kind == kStepAgent ? 2 : 1);
    return;
  }
  switch (kind) {
    case kStepRaw:
      return raw(input);
    case kStepClient:
      return client(input);
    case kStepServer:
      return server(input);
    case kStepAgain:
      return again(input);
    case kStepError:
      return error(input);
    case kStepFragment:
      return fragment(input);
    case kStepTime:
      host().now_ns += std::uint64_t{1} << input.byte() % 45;
      return;
    case kStepAgent: {
      const std::uint8_t what = input.byte();
      session_.world().change(what, input.byte());
      return;
    }
    default: {
      const std::uint8_t what = input.byte();
      host().fail_helper = what & 15;
      maps().fail_update(what >> 4 & 7);
    }
  }
}

Talk::Side& Talk::side_of(std::uint8_t who) { return sides_[who & 15]; }

Segment Talk::segment_of(std::uint8_t who) const {
  Segment segment;
  const std::uint8_t number = who >> 2 & 3;
  segment.v6 = (who & kV6) != 0;
  const flare_service_key to = World::frontend(segment.v6, (who & kUdp) != 0);
  segment.key.src = segment.v6 ? v6(12, 0, 7) : v4(198, 51, 100, 7);
  if (number == 3) segment.key.src = segment.v6 ? v6(5, 0, 0x10) : v4(203, 0, 113, 10);
  segment.key.dst = to.addr;
  segment.key.sport = swapped(static_cast<std::uint16_t>(40000 + number));
  segment.key.dport = to.port;
  segment.key.proto = to.proto;
  return segment;
}

void Talk::patch(Frame& frame, Input& input) {
  for (unsigned left = input.byte() & 3; left > 0; --left) {
    const std::size_t at = input.byte();
    if (at < frame.size()) frame[at] = input.byte();
  }
}

Left Talk::send(Frame frame, std::uint8_t how, Input& input) {
  patch(frame, input);
  const std::uint8_t split = (how & kHowSplit) != 0 ? input.byte() : 0;
  Left left = session_.run(frame, how, split);
  last_ = std::move(frame);
  last_how_ = how;
  host().fail_helper = 0;
  maps().fail_update(0);
  if (fate_of(left.reason) == FLARE_FATE_FORWARD) sent_ = left.frame;
  return left;
}

void Talk::raw(Input& input) {
  const std::uint8_t how = input.byte();
  const auto bytes = input.bytes(input.number() % PacketBuffer::kFrameMax);
  if (bytes.size() < 14) return;  // no device lets a shorter one in
  Frame frame(bytes.begin(), bytes.end());
  const std::uint8_t split = (how & kHowSplit) != 0 ? input.byte() : 0;
  Left left = session_.run(frame, how, split);
  last_ = std::move(frame);
  last_how_ = how;
  if (fate_of(left.reason) == FLARE_FATE_FORWARD) sent_ = left.frame;
}

Frame Talk::client_words(Input& input) {
  switch (input.byte() % 8) {
    case 0:
      return {};
    case 1:
      return bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    case 2:
      return bytes_of("GET / HTTP/1.0\r\n\r\n");
    case 3: {
      Frame words = bytes_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      add_h2_frame(words, 0, 4, 0, 0);
      add_h2_frame(words, 10, 1, 5, 1);
      return words;
    }
    case 4: {
      Frame words;
      const std::uint8_t type = input.byte(), flags = input.byte();
      add_h2_frame(words, input.byte() % 32, type, flags, input.byte());
      return words;
    }
    case 5:
      return hello((input.byte() & 1) != 0);
    case 6:
      return tls_data(input.byte());
    default: {
      const auto bytes = input.bytes(input.byte());
      return {bytes.begin(), bytes.end()};
    }
  }
}

Frame Talk::server_words(Input& input) {
  switch (input.byte() % 8) {
    case 0:
      return {};
    case 1:
      return bytes_of(
          "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n"
          "Content-Length: 2\r\n\r\nok");
    case 2:
      return bytes_of("HTTP/1.1 100 Continue\r\n\r\n");
    case 3:
      return bytes_of(
          "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok");
    case 4: {
      Frame words;
      const std::uint8_t type = input.byte(), flags = input.byte();
      add_h2_frame(words, input.byte() % 32, type, flags, input.byte());
      return words;
    }
    case 5: {
      Frame words;
      add_h2_frame(words, 6, 1, 4, 1);
      add_h2_frame(words, input.byte(), 0, 1, 1);
      return words;
    }
    case 6:
      return tls_data(input.byte());
    default: {
      const auto bytes = input.bytes(input.number() % 1400);
      return {bytes.begin(), bytes.end()};
    }
  }
}

/// Sequence numbers go on by themselves; an input may send from `back` bytes before, or ahead.
void Talk::client(Input& input) {
  const std::uint8_t how = input.byte() & ~kHowEgress, who = input.byte();
  const std::uint8_t flags = input.byte(), back = input.byte();
  Side& side = side_of(who);
  Segment segment = segment_of(who);
  segment.flags = flags & 0x3f;
  segment.sack = (flags & 0x80) != 0;
  segment.partial = (how & (kHowPartial | kHowGso)) != 0;
  segment.ttl = (flags & 0x40) != 0 ? 1 : 64;
  segment.seq = side.client_seq - static_cast<std::uint32_t>(static_cast<std::int8_t>(back));
  segment.ack = side.server_seq;
  segment.payload = client_words(input);
  side.client_seq = segment.seq + static_cast<std::uint32_t>(segment.payload.size()) +
                    (flags >> 1 & 1U) + (flags & 1U);
  const Left left = send(segment.frame(), how, input);
  if (left.view.kind != FrameView::Kind::kTransport) return;
  side.at_server = left.view.key;
  side.heard = true;
  side.passed = left.verdict == verdicts_of(FLARE_HOOK_TC_INGRESS).pass ||
                left.verdict == verdicts_of(FLARE_HOOK_XDP).pass;
}

void Talk::server(Input& input) {
  std::uint8_t how = input.byte();
  const std::uint8_t who = input.byte(), flags = input.byte(), back = input.byte();
  Side& side = side_of(who);
  Segment segment = segment_of(who);
  segment.key = turned_round(side.heard ? side.at_server : segment.key);
  segment.flags = flags & 0x3f;
  segment.partial = (how & (kHowPartial | kHowGso)) != 0;
  segment.ttl = (flags & 0x40) != 0 ? 1 : 64;
  segment.seq = side.server_seq - static_cast<std::uint32_t>(static_cast<std::int8_t>(back));
  segment.ack = side.client_seq;
  segment.payload = server_words(input);
  side.server_seq = segment.seq + static_cast<std::uint32_t>(segment.payload.size()) +
                    (flags >> 1 & 1U) + (flags & 1U);
  if (side.passed) how ^= kHowEgress;  // what the stack had, it answers
  send(segment.frame(), how, input);
}

void Talk::again(Input& input) {
  const std::uint8_t how = input.byte();
  if (last_.size() >= 14) send(last_, static_cast<std::uint8_t>(last_how_ ^ (how & 0x30)), input);
}

void Talk::error(Input& input) {
  const std::uint8_t how = input.byte(), type = input.byte(), code = input.byte();
  const std::size_t quoted = input.byte();
  const FrameView view = FrameView::of(sent_);
  if (view.kind == FrameView::Kind::kNone) return;
  send(icmp_error(sent_, view.l3, view.v6, type, code, quoted + 28), how, input);
}

void Talk::fragment(Input& input) {
  const std::uint8_t how = input.byte() & ~(kHowPartial | kHowGso), who = input.byte();
  const std::uint8_t which = input.byte();
  Segment segment = segment_of(who);
  if ((which & 0x80) != 0 && side_of(who).heard) segment.key = turned_round(side_of(who).at_server);
  segment.flags = 0x10;
  segment.id = 1 + (which >> 4 & 3);
  segment.offset = which & 3;
  segment.more = (which & 4) != 0;
  segment.payload.assign(24, 'f');
  send(segment.frame(), how, input);
}

}  // namespace flare::fuzz
