// Requests of cleartext HTTP/2: streams, found by walking frame headers.
#include "http2_frames.h"
#include "kernel/turn_sweep.h"

namespace flare::test {
namespace {

using Http2Streams = Http2;

TEST_P(Http2Streams, AreRequestsFromHeadersToEndStream) {
  hello();
  expect(0, 0, 0, "settings are no request");
  EXPECT_EQ(tcp_counters().connections[FLARE_CLASS_HTTP2], 1U);
  client(headers(1));
  expect(1, 0, 0, "asked");
  server(headers(1, kEndHeaders));
  expect(1, 0, 0, "answered in part");
  EXPECT_EQ(measured(), 1U) << "its first byte";
  server(data(1, 100));
  server(data(1, 0, kEndStream));
  expect(1, 1, 0, "answered");
  client(joined({ping(), window_update(0), window_update(1)}));
  server(joined({ping(), settings()}));
  expect(1, 1, 0, "housekeeping");
  client(joined({headers(3, kEndHeaders), data(3, 50), headers(3)}));
  expect(2, 1, 0, "trailers begin nothing");
  server(answer(3));
  expect(2, 2, 0, "answered");
}

TEST_P(Http2Streams, AreToldApartWhereTheyAreMultiplexed) {
  hello();
  Bytes ten;
  for (std::uint32_t id = 1; id < 20; id += 2) ten = joined({ten, headers(id)});
  client(ten);
  expect(10, 0, 0, "ten in one segment");
  server(joined({answer(19), headers(1, kEndHeaders), answer(5)}));
  expect(10, 2, 0, "in another order");
  for (const std::uint32_t id : {1U, 3U, 7U, 9U, 11U, 13U, 15U, 17U}) server(answer(id));
  expect(10, 10, 0, "all");
  server(answer(5));
  expect(10, 10, 0, "a stream ends once");
}

TEST_P(Http2Streams, AreFoundWhereverASegmentEnds) {
  const Bytes asked = joined({headers(1), headers(3)}), answered = joined({answer(1), answer(3)});
  for (std::size_t cut = 1; cut < asked.size(); ++cut) {
    hello();
    client(Bytes(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(cut)));
    client(Bytes(asked.begin() + static_cast<std::ptrdiff_t>(cut), asked.end()));
    const std::size_t split = cut * answered.size() / asked.size() + 1;
    server(Bytes(answered.begin(), answered.begin() + static_cast<std::ptrdiff_t>(split)));
    server(Bytes(answered.begin() + static_cast<std::ptrdiff_t>(split), answered.end()));
    expect(2 * cut, 2 * cut, 0, "cut in two");
    client(Bytes(), TcpFlags::kRst);
  }
  EXPECT_EQ(tcp_counters().resyncs, 0U);
}

TEST_P(Http2Streams, GoOnBehindABodyOfManySegments) {
  hello();
  const Bytes body = data(1, 5000, kEndStream);
  client(joined({headers(1, kEndHeaders), Bytes(body.begin(), body.begin() + 9)}));
  for (int i = 0; i < 5; ++i) client(Bytes(1000, 0xff));
  client(headers(3));
  expect(2, 0, 0, "what lies in a body is not read");
  const Bytes reply = data(1, 3000, kEndStream);
  server(joined({headers(1, kEndHeaders), Bytes(reply.begin(), reply.begin() + 9)}));
  for (int i = 0; i < 3; ++i) server(Bytes(1000, 1));
  server(answer(3));
  expect(2, 2, 0, "nor in the server's");
  EXPECT_EQ(tcp_counters().resyncs, 0U);
}

TEST_P(Http2Streams, AreMadeUpForWhereASegmentWasLost) {
  hello();
  client(headers(1));
  client_seq_ += 39;  // that of stream 3
  client(headers(5));
  expect(3, 0, 1, "two more; what became of the one in between is not known");
  EXPECT_EQ(tcp_counters().resyncs, 0U) << "the next one was in its place";
  client_seq_ += 20;
  client(Bytes(100, 0xff));
  client(headers(7));
  expect(4, 0, 1, "found again at the start of a segment");
  EXPECT_EQ(tcp_counters().resyncs, 1U);
}

TEST_P(Http2Streams, AreNotMadeByWhatComesTwice) {
  hello();
  const std::uint32_t at = client_seq_, answer_at = server_seq_;
  client(headers(1));
  client(headers(1), TcpFlags::kAck, at);
  server(answer(1));
  server(answer(1), TcpFlags::kAck, answer_at);
  expect(1, 1, 0, "retransmissions");
  client(joined({headers(1), headers(3)}), TcpFlags::kAck, at);
  expect(2, 1, 0, "old and new in one segment");
}

TEST_P(Http2Streams, EndWithAReset) {
  hello();
  client(joined({headers(1), headers(3), headers(5)}));
  client(rst_stream(1));
  expect(3, 0, 1, "given up by the client");
  server(answer(1));
  expect(3, 0, 1, "its answer was on the way");
  server(joined({answer(3), rst_stream(3)}));
  expect(3, 1, 1, "answered, and no more is read of it");
  server(rst_stream(5));
  expect(3, 1, 2, "refused by the server");
}

TEST_P(Http2Streams, EndWithTheConnection) {
  hello();
  client(joined({headers(1), headers(3), headers(5)}));
  server(answer(1));
  server(Bytes(), TcpFlags::kFin | TcpFlags::kAck);
  expect(3, 1, 2, "closed");
  hello();
  client(headers(1));
  hello();
  if (!spilled()) expect(4, 1, 3, "a new connection on its addresses");
  client(headers(1));
  server(answer(1));
  if (!spilled()) expect(5, 2, 3, "whose streams are its own");
}

TEST_P(Http2Streams, EndOnceWhereTheAgentEndedThemInTheirSilence) {
  hello();
  client(joined({headers(1), headers(3)}));
  EXPECT_EQ(sweep_turns(maps(), std::uint64_t{1} << 62, 1).vanished, 2U);
  EXPECT_EQ(in_flight(), 0);
  server(joined({answer(1), rst_stream(3)}));
  EXPECT_EQ(in_flight(), 0) << "spoken at last";
  EXPECT_EQ(counts().answers + counts().abandoned, 0U);
  client(headers(5));
  EXPECT_EQ(in_flight(), 1);
  server(answer(5));
  EXPECT_EQ(in_flight(), 0);
}

TEST_P(Http2Streams, GiveWayWhenAThousandOthersHaveBegun) {
  hello();
  client(headers(1));
  client(headers(1 + 2 * FLARE_HTTP2_STREAMS));
  expect(FLARE_HTTP2_STREAMS + 1, 0, FLARE_HTTP2_STREAMS, "their places are one");
  client(headers(3 + 6 * FLARE_HTTP2_STREAMS));
  expect(FLARE_HTTP2_STREAMS + 1, 0, FLARE_HTTP2_STREAMS, "an id that cannot be: not a header");
}

TEST_P(Http2Streams, CountOnConnectionsFromBeforeUs) {
  hello();
  client(headers(1));
  server(answer(1));
  for (std::uint32_t i = 0; i < maps().turns.size(); ++i) maps().turns.clear(i);
  client(joined({headers(41), headers(43)}));
  expect(3, 1, 0, "the service is known to speak HTTP/2");
  server(joined({answer(41), answer(43)}));
  expect(3, 3, 0, "and the walk found its place");
}

INSTANTIATE_TEST_SUITE_P(Ways, Http2Streams, testing::ValuesIn(turn_ways()), turn_way_name);

}  // namespace
}  // namespace flare::test
