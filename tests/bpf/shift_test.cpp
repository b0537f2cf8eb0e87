// Moving connections of HTTP/2: a GOAWAY in the server's stream, and the count of bytes behind it.
#include "http2_frames.h"

namespace flare::test {
namespace {

const Bytes kGoaway = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};

class Shift : public Http2 {
 protected:
  void SetUp() override {
    Http2::SetUp();
    adjust([](flare_service& service) {
      service.move = FLARE_MOVE_CLOSE;
      for (int tier = 0; tier < 2; ++tier) {
        service.move_interval_ns[tier] = 1;
        service.move_depth_ns[tier] = 1'000'000;
      }
    });
  }
  /// Runs a segment of the server: what leaves must be `expected` and nothing else.
  void expect_server(const Packet& packet, const Packet& expected, const char* what) {
    const Outcome outcome = run_server(packet);
    EXPECT_EQ(outcome.bytes, (spilled() ? scene_.to_client(expected) : expected).bytes()) << what;
  }
  void expect_client(const Packet& packet, const Packet& expected, const char* what) {
    const Outcome outcome = run_packet(hook(), packet);
    EXPECT_EQ(outcome.bytes, (spilled() ? scene_.to_backend(expected) : expected).bytes()) << what;
  }
  /// Brings a connection to where its server's stream has the frame behind `at_`.
  void go_away(std::size_t body = 100) {
    hello();
    client(headers(1));
    segment_ = server_packet(joined({headers(1, kEndHeaders), data(1, body, kEndStream)}));
    marked_ = segment_;
    marked_.payload = joined({segment_.payload, kGoaway});
    expect_server(segment_, marked_, "the frame follows the answer");
    server_seq_ += static_cast<std::uint32_t>(segment_.payload.size());
    at_ = server_seq_;
  }
  std::uint64_t moved() const { return tcp_counters().moved[GetParam().tier][FLARE_MEANS_GOAWAY]; }
  std::uint32_t shifts() const { return maps().admission.read(kTcpService).shifts; }

  Packet segment_, marked_;
  std::uint32_t at_ = 0;
};

TEST_P(Shift, AppendsTheFrameToAnAnswerAtEvenAndOddPlaces) {
  for (std::size_t body = 100; body < 104; ++body) {
    go_away(body);
    client(Bytes(), TcpFlags::kRst);
    dial();
  }
  EXPECT_EQ(moved(), 4U);
  EXPECT_EQ(shifts(), 0U) << "a new connection on the addresses ends the old one's entry";
}

TEST_P(Shift, CountsTheFrameInWhatFollows) {
  go_away();
  Packet next = server_packet(joined({headers(3, kEndHeaders), data(3, 10)}));
  Packet shifted = next;
  shifted.seq += 17;
  expect_server(next, shifted, "data");
  Packet fin = server_packet(Bytes(), TcpFlags::kFin | TcpFlags::kAck);
  shifted = fin;
  shifted.seq += 17;
  expect_server(fin, shifted, "FIN");
  EXPECT_EQ(moved(), 1U) << "told once";
}

TEST_P(Shift, TakesTheFrameOutOfAcknowledgements) {
  go_away();
  struct {
    std::uint32_t by_client, to_server;
    const char* what;
  } cases[] = {{at_ - 1, at_ - 1, "before the frame"},
               {at_, at_, "up to the frame"},
               {at_ + 1, at_, "in its middle"},
               {at_ + 17, at_, "the frame itself"},
               {at_ + 18, at_ + 1, "what follows it"}};
  for (const auto& one : cases) {
    Packet ack = client_packet(Bytes());
    ack.ack = one.by_client;
    Packet expected = ack;
    expected.ack = one.to_server;
    expect_client(ack, expected, one.what);
  }
}

TEST_P(Shift, BlanksSackBlocks) {
  go_away();
  Packet ack = client_packet(Bytes());
  ack.ack = at_ + 20;
  ack.tcp_options = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 10, 9, 9, 9, 9, 9, 9, 9, 9};
  Packet expected = ack;
  expected.ack = at_ + 3;
  for (std::size_t i = 14; i < 24; ++i) expected.tcp_options[i] = 1;
  expect_client(ack, expected, "a time stamp stays");
}

TEST_P(Shift, SendsTheFrameAgainWithItsSegment) {
  go_away();
  expect_server(segment_, marked_, "retransmitted");
  Packet tail = segment_, marked_tail = segment_;
  tail.payload = Bytes(segment_.payload.end() - 31, segment_.payload.end());
  tail.seq += static_cast<std::uint32_t>(segment_.payload.size()) - 31;
  marked_tail = tail;
  marked_tail.payload = joined({tail.payload, kGoaway});
  expect_server(tail, marked_tail, "the end of it");
  Packet part = segment_;
  part.payload.resize(50);
  expect_server(part, part, "the beginning of it");
}

TEST_P(Shift, CutsWhatReachesOverItsPlace) {
  go_away();
  for (const std::size_t more : {1U, 2U, 600U, 1100U}) {
    Packet both = segment_;
    both.payload = joined({segment_.payload, Bytes(more, 0xa5)});
    both.tcp_flags |= TcpFlags::kFin;
    expect_server(both, marked_, "up to the frame; the rest is sent again");
  }
}

TEST_P(Shift, WaitsForASegmentWithRoomThatEndsWithAFrame) {
  hello();
  client(joined({headers(1), headers(3), headers(5), headers(7)}));
  const auto as_it_is = [this](const Bytes& payload, const char* what) {
    const Packet packet = server_packet(payload);
    expect_server(packet, packet, what);
    server_seq_ += static_cast<std::uint32_t>(payload.size());
  };
  as_it_is(joined({answer(1), Bytes{0, 0}}), "a header begins");
  as_it_is(joined({Bytes{100, 0, 0, 0, 0, 0, 3}, Bytes(100, 0), headers(3, kEndStream)}),
           "a header block goes on");
  as_it_is(joined({frame(9, kEndHeaders, 3, 10), data(5, 1300, kEndStream)}), "it is full");
  EXPECT_EQ(moved(), 0U);
  Packet last = server_packet(answer(7)), marked = last;
  marked.payload = joined({last.payload, kGoaway});
  expect_server(last, marked, "here");
  EXPECT_EQ(moved(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Ways, Shift, testing::ValuesIn(turn_ways()), turn_way_name);

}  // namespace
}  // namespace flare::test
