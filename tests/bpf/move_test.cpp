// Moving connections of HTTP/1.x: a header line of an answer becomes `Connection: close`.
#include "turn_fixture.h"

namespace flare::test {
namespace {

const std::string kDate = "Date: Thu, 26 Nov 2026 10:00:00 GMT\r\n";

class Move : public Turns {
 protected:
  void SetUp() override {
    Turns::SetUp();
    adjust([](flare_service& service) {
      service.move = FLARE_MOVE_CLOSE;
      for (int tier = 0; tier < 2; ++tier) {
        service.move_interval_ns[tier] = 1;
        service.move_depth_ns[tier] = 1'000'000;
      }
    });
  }
  /// Asks on a connection of its own and answers; returns the answer's payload as the client gets
  /// it.
  std::string answered(const std::string& text) {
    dial();
    client(kRequest);
    return passed(text);
  }
  /// Answers with `text`. The frame must be what a server that wrote the result would have sent.
  std::string passed(const std::string& text) {
    const Packet packet = server_packet(to_bytes(text));
    const Outcome outcome = run_server(packet);
    EXPECT_EQ(outcome.bytes.size(), packet.bytes().size());
    const auto from = outcome.bytes.end() - static_cast<std::ptrdiff_t>(text.size());
    Packet expected = packet;
    expected.payload = Bytes(from, outcome.bytes.end());
    EXPECT_EQ(outcome.bytes, (spilled() ? scene_.to_client(expected) : expected).bytes());
    server_seq_ += static_cast<std::uint32_t>(text.size());
    return {from, outcome.bytes.end()};
  }
  std::uint64_t moved() const { return tcp_counters().moved[GetParam().tier][FLARE_MEANS_HEADER]; }
};

std::string ok(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 2\r\nX-Rest: 0123456789\r\n\r\nok";
}

TEST_P(Move, OverwritesTheDate) {
  EXPECT_EQ(answered(ok(kDate)),
            ok("Connection:" + std::string(kDate.size() - 18, ' ') + "close\r\n"));
  EXPECT_EQ(moved(), 1U);
}

TEST_P(Move, PrefersTheConnectionLine) {
  EXPECT_EQ(answered(ok(kDate + "Connection: keep-alive\r\n")),
            ok(kDate + "Connection:      close\r\n"));
  EXPECT_EQ(answered(ok("cOnNeCtIoN:Keep-Alive  \r\n" + kDate)),
            ok("Connection:       close\r\n" + kDate));
  EXPECT_EQ(moved(), 2U);
}

TEST_P(Move, WritesAtEveryPlace) {
  for (std::size_t before = 0; before < 70; ++before) {
    const std::string field = "X-" + std::string(before, 'x') + ": y\r\n";
    EXPECT_EQ(answered(ok(field + kDate)),
              ok(field + "Connection:" + std::string(kDate.size() - 18, ' ') + "close\r\n"))
        << before;
    client(Bytes(), TcpFlags::kRst);
  }
}

TEST_P(Move, LeavesAloneWhatItDoesNotUnderstand) {
  const std::string many = "X-Many: " + std::string(500, 'x') + "\r\n";
  for (const std::string& text : {
           ok(""),
           ok("Connection: close\r\n" + kDate),
           ok("Connection: Upgrade\r\n" + kDate),
           ok("Date: now\r\n"),
           ok(many + kDate),
           ok(kDate + many + "Connection: keep-alive\r\n"),
           std::string("HTTP/1.1 101 Switching Protocols\r\n") + kDate +
               "Upgrade: websocket\r\n\r\n",
           std::string("HTTP/2.0 200 OK\r\n") + kDate + std::string(60, ' ') + "\r\n\r\n",
           std::string("+OK this is no HTTP\r\n") + kDate + std::string(60, ' ') + "\r\n\r\n",
           std::string("HTTP/1.1 200 OK\r\n\r\n") + kDate + std::string(60, ' '),
           std::string("HTTP/1.1 200 OK\r\n") + kDate,
       }) {
    EXPECT_EQ(answered(text), text);
    client(Bytes(), TcpFlags::kRst);
  }
  EXPECT_EQ(moved(), 0U);
}

TEST_P(Move, SparesHttp10) {
  for (const char* request :
       {"GET / HTTP/1.0\r\n\r\n",
        "GET /a/longer/path?with=words HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}) {
    dial();
    client(request);
    EXPECT_EQ(passed(ok(kDate + "Connection: keep-alive\r\n")),
              ok(kDate + "Connection: keep-alive\r\n"))
        << request;
    client(Bytes(), TcpFlags::kRst);
  }
  EXPECT_EQ(moved(), 0U);
}

TEST_P(Move, TellsAConnectionOnce) {
  EXPECT_NE(answered(ok(kDate)), ok(kDate));
  client(kRequest);
  EXPECT_EQ(passed(ok(kDate)), ok(kDate));
  EXPECT_EQ(moved(), 1U);
}

TEST_P(Move, LooksAtTheFirstSegmentOfAnAnswerAlone) {
  dial();
  client(kRequest);
  EXPECT_EQ(passed(ok("Connection: close\r\n")), ok("Connection: close\r\n"));
  EXPECT_EQ(passed(ok(kDate)), ok(kDate)) << "a body that looks like an answer";
}

TEST_P(Move, KeepsToItsRate) {
  adjust([](flare_service& service) {
    for (int tier = 0; tier < 2; ++tier) {
      service.move_interval_ns[tier] = 3'600'000'000'000;
      service.move_depth_ns[tier] = 2 * service.move_interval_ns[tier];
    }
  });
  for (int i = 0; i < 5; ++i) {
    answered(ok(kDate));
    client(Bytes(), TcpFlags::kRst);
  }
  EXPECT_EQ(moved(), 2U);
}

TEST_P(Move, HappensOnlyWhereItIsAskedForAndTended) {
  adjust([](flare_service& service) { service.move = FLARE_MOVE_NONE; });
  EXPECT_EQ(answered(ok(kDate)), ok(kDate));
  adjust([](flare_service& service) {
    service.move = FLARE_MOVE_CLOSE;
    service.move_interval_ns[GetParam().tier] = 0;
  });
  EXPECT_EQ(answered(ok(kDate)), ok(kDate)) << "the other tier's connections move";
  adjust([](flare_service& service) { service.move_interval_ns[GetParam().tier] = 1; });
  client(Bytes(), TcpFlags::kRst);
  dial();
  client(kRequest);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 0);
  EXPECT_EQ(passed(ok(kDate)), ok(kDate)) << "the agent is dead";
  beat();
  client(Bytes(), TcpFlags::kRst);
  EXPECT_NE(answered(ok(kDate)), ok(kDate));
}

TEST_P(Move, GoesOutAtTheCapAndHomeBelowIt) {
  adjust([](flare_service& service) {
    service.move_gated = 1;
    service.cap = 3;
  });
  const bool home = spilled();
  EXPECT_EQ(answered(ok(kDate)) != ok(kDate), home) << "none in flight";
  maps().admission.set(kTcpService, &flare_admission::reported, 3);
  adjust([](flare_service& service) { service.counting = FLARE_COUNTING_REPORTED; });
  client(Bytes(), TcpFlags::kRst);
  EXPECT_EQ(answered(ok(kDate)) != ok(kDate), !home) << "three in flight";
}

TEST_P(Move, NeverReachesIntoTls) {
  dial();
  client(record(22, 517));
  server(record(22, 127));
  client(joined({record(20, 6), record(23, 58), record(23, 100)}));
  EXPECT_EQ(passed(ok(kDate)), ok(kDate)) << "even where the sealed bytes look like an answer";
  EXPECT_EQ(moved(), 0U);
}

TEST_P(Move, NotesWhoseAnswersAreNoHttp) {
  const auto headless = [this] {
    int noted = 0;
    for (std::uint32_t set = 0; set < FLARE_TURN_SETS; ++set) {
      maps().turns.visit(set, [&noted](const flare_turn_set& ways) {
        for (const flare_turn& turn : ways.way) noted += (turn.ended & FLARE_TURN_HEADLESS) != 0;
      });
    }
    client(Bytes(), TcpFlags::kRst);
    return noted;
  };
  answered("+OK\r\n");
  EXPECT_EQ(headless(), 1);
  answered("+OK this is no HTTP\r\n" + kDate + std::string(60, ' '));
  EXPECT_EQ(headless(), 1);
  answered(ok(""));
  EXPECT_EQ(headless(), 0) << "HTTP, whose next answer may have a place";
  answered("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(headless(), 0) << "as short as the first";
  adjust([](flare_service& service) { service.move = FLARE_MOVE_NONE; });
  answered("+OK\r\n");
  EXPECT_EQ(headless(), 0) << "nothing asked for it to move";
}

TEST_P(Move, SpendsOneTokenOnAConnectionThatCannotBeTold) {
  adjust([](flare_service& service) {
    for (int tier = 0; tier < 2; ++tier) {
      service.move_interval_ns[tier] = 3'600'000'000'000;
      service.move_depth_ns[tier] = 2 * service.move_interval_ns[tier];
    }
  });
  answered("+OK\r\n");
  for (int i = 0; i < 3; ++i) {
    client(kRequest);
    passed("+OK\r\n");
  }
  client(Bytes(), TcpFlags::kRst);
  EXPECT_NE(answered(ok(kDate)), ok(kDate)) << "the second token";
  EXPECT_EQ(moved(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Ways, Move, testing::ValuesIn(turn_ways()), turn_way_name);

}  // namespace
}  // namespace flare::test
