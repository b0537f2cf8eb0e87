// Cleartext HTTP/2 behind lost segments: what comes late into a hole is walked, once.
#include "http2_frames.h"

namespace flare::test {
namespace {

/// Segments that are held back: the next one goes behind the hole that they leave.
class Http2Holes : public Http2 {
 protected:
  struct Lost {
    std::uint32_t seq;
    Bytes payload;
  };

  Lost lose_client(const Bytes& payload) {
    const Lost lost{client_seq_, payload};
    client_seq_ += static_cast<std::uint32_t>(payload.size());
    return lost;
  }
  Lost lose_server(const Bytes& payload) {
    const Lost lost{server_seq_, payload};
    server_seq_ += static_cast<std::uint32_t>(payload.size());
    return lost;
  }
  void late_client(const Lost& lost) { client(lost.payload, TcpFlags::kAck, lost.seq); }
  void late_server(const Lost& lost) { server(lost.payload, TcpFlags::kAck, lost.seq); }
  /// Part of what was lost.
  static Lost part(const Lost& lost, std::size_t from, std::size_t to) {
    const auto begin = lost.payload.begin();
    return {
        lost.seq + static_cast<std::uint32_t>(from),
        Bytes(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to))};
  }
};

TEST_P(Http2Holes, GiveTheLastRequestWhenItComesAgain) {
  hello();
  client(headers(1));
  const Lost last = lose_client(headers(3));
  client(window_update(0));
  expect(1, 0, 0, "the last one was lost in front");
  late_client(last);
  expect(2, 0, 0, "and came again");
  late_client(last);
  expect(2, 0, 0, "and once more");
  server(joined({answer(1), answer(3)}));
  expect(2, 2, 0, "both are followed");
  client(headers(5));
  expect(3, 2, 0, "the next one is one");
  EXPECT_EQ(tcp_counters().resyncs, 0U);
}

TEST_P(Http2Holes, GiveNothingThatALaterIdHasMadeUpFor) {
  hello();
  client(headers(1));
  const Lost lost = lose_client(joined({headers(3), headers(5)}));
  client(headers(7));
  expect(4, 0, 2, "made up");
  late_client(lost);
  expect(4, 0, 2, "counted before");
  client(headers(9));
  expect(5, 0, 2, "the walk stands where it stood");
}

TEST_P(Http2Holes, GiveTheEndOfARequestOnce) {
  hello();
  client(joined({headers(1), headers(3), headers(5)}));
  server(answer(1));
  const Lost lost = lose_server(answer(3));
  server(ping());
  expect(3, 1, 0, "its end was lost behind");
  late_server(lost);
  expect(3, 2, 0, "and came again");
  late_server(lost);
  expect(3, 2, 0, "and once more");
  server(answer(5));
  expect(3, 3, 0, "none is left");
  EXPECT_EQ(tcp_counters().resyncs, 0U);
}

TEST_P(Http2Holes, AreFilledPieceByPiece) {
  const Bytes asked = joined({headers(3), headers(5), headers(7)});
  for (std::size_t cut = 1; cut < asked.size(); ++cut) {
    hello();
    client(headers(1));
    const Lost lost = lose_client(asked);
    client(window_update(0));
    const std::uint64_t before = counts().requests;
    late_client(part(lost, 0, cut));
    late_client(part(lost, 0, cut));
    late_client(part(lost, cut, asked.size()));
    EXPECT_EQ(counts().requests, before + 3) << "cut at " << cut;
    late_client(lost);
    EXPECT_EQ(counts().requests, before + 3) << "whole, cut at " << cut;
    server(joined({answer(1), answer(3), answer(5), answer(7)}));
    EXPECT_EQ(in_flight(), 0) << "cut at " << cut;
    client(Bytes(), TcpFlags::kRst);
  }
}

TEST_P(Http2Holes, MayBeginAmidAHeader) {
  const Bytes answered = joined({answer(1), answer(3)});
  for (std::size_t held = 1; held < 9; ++held) {
    hello();
    client(joined({headers(1), headers(3)}));
    const std::size_t cut = answer(1).size() + held;
    server(Bytes(answered.begin(), answered.begin() + static_cast<std::ptrdiff_t>(cut)));
    const Lost lost =
        lose_server(Bytes(answered.begin() + static_cast<std::ptrdiff_t>(cut), answered.end()));
    server(ping());
    EXPECT_EQ(in_flight(), 1) << held;
    late_server(lost);
    EXPECT_EQ(in_flight(), 0) << held;
    client(Bytes(), TcpFlags::kRst);
  }
}

TEST_P(Http2Holes, AreSeveral) {
  hello();
  client(joined({headers(1), headers(3), headers(5), headers(7)}));
  const Lost one = lose_server(answer(1));
  server(ping());
  const Lost two = lose_server(answer(3));
  server(ping());
  const Lost three = lose_server(answer(5));
  server(answer(7));
  expect(4, 1, 0, "three holes");
  late_server(two);
  late_server(three);
  late_server(one);
  expect(4, 4, 0, "filled in any order");
}

TEST_P(Http2Holes, AreFilledByWhatGoesOnBehindThem) {
  hello();
  client(headers(1));
  const Lost lost = lose_client(headers(3));
  const Bytes seen = window_update(0), next = headers(5);
  client(seen);
  client(joined({lost.payload, seen, next}), TcpFlags::kAck, lost.seq);
  client_seq_ += static_cast<std::uint32_t>(next.size());
  expect(3, 0, 0, "the lost one and a new one in one segment");
  client(headers(7));
  expect(4, 0, 0, "and the walk goes on");
}

TEST_P(Http2Holes, GiveTheWalkItsPlaceBack) {
  hello();
  const Bytes body = data(1, 3000, kEndStream);
  client(headers(1, kEndHeaders));
  const Lost lost = lose_client(Bytes(body.begin(), body.begin() + 1000));
  client(Bytes(1000, 0xff));
  late_client(lost);
  client(joined({Bytes(1009, 0xff), headers(3)}));
  expect(2, 0, 0, "found behind the body, not at a segment's start");
  EXPECT_EQ(tcp_counters().resyncs, 0U);
}

TEST_P(Http2Holes, MayHoldTheFirstRequest) {
  hello();
  const Lost first = lose_client(headers(1));
  const Lost second = lose_client(headers(3));
  client(headers(5));
  expect(1, 0, 0, "nobody knows which id is the first one");
  late_client(first);
  late_client(second);
  late_client(first);
  expect(3, 0, 0, "older than the first one seen");
  client(joined({headers(7), headers(1)}));
  expect(4, 0, 0, "trailers begin nothing");
  server(joined({answer(1), answer(3), answer(5), answer(7)}));
  expect(4, 4, 0, "all are followed");
}

TEST_P(Http2Holes, MayHoldTheConnectionsBeginning) {
  dial();
  const Lost first = lose_client(joined({kPreface, settings(), headers(1)}));
  client(joined({window_update(0), headers(3)}));
  expect(1, 0, 0, "frames without a preface");
  EXPECT_EQ(tcp_counters().connections[FLARE_CLASS_HTTP2], 1U);
  late_client(first);
  expect(2, 0, 0, "and what was in front of them");
  server(joined({settings(), answer(1), answer(3)}));
  expect(2, 2, 0, "answered");
  client(Bytes(), TcpFlags::kRst);
  dial();
  const Lost again = lose_client(joined({kPreface, settings(), headers(1, kEndHeaders)}));
  client(Bytes(100, 0xff));
  client(Bytes(100, 0xff));
  expect(2, 2, 0, "no frame, but the service is known to speak HTTP/2");
  late_client(again);
  client(headers(3));
  expect(4, 2, 0, "both");
}

TEST_P(Http2Holes, AreOverWithTheConnection) {
  hello();
  client(headers(1));
  const Lost lost = lose_server(answer(1));
  server(ping(), TcpFlags::kFin | TcpFlags::kAck);
  expect(1, 0, 1, "closed");
  late_server(lost);
  expect(1, 0, 1, "it has ended before");
  client(rst_stream(1));
  expect(1, 0, 1, "as the client may say, too");
}

INSTANTIATE_TEST_SUITE_P(Ways, Http2Holes, testing::ValuesIn(turn_ways()), turn_way_name);

}  // namespace
}  // namespace flare::test
