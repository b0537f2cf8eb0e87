// Requests: what begins one, what answers it, and that each that began ends once.
#include <arpa/inet.h>

#include <map>

#include "select.bpf.h"
#include "turn_fixture.h"

namespace flare::test {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST_P(Turns, AreNotMadeByAHandshake) {
  dial();
  expect(0, 0, 0, "nobody has asked yet");
  EXPECT_EQ(measured(FLARE_LATENCY_HANDSHAKE), 1U);
  server(Bytes(), TcpFlags::kSyn | TcpFlags::kAck, 900'000);
  EXPECT_EQ(measured(FLARE_LATENCY_HANDSHAKE), 1U) << "the SYN-ACK came once more";
}

TEST_P(Turns, BeginWithAQuestionAndEndWithTheFirstByteOfTheAnswer) {
  dial();
  client(kRequest);
  expect(1, 0, 0, "asked");
  client(Bytes());
  expect(1, 0, 0, "an acknowledgement is nothing");
  server(kAnswer);
  expect(1, 1, 0, "answered");
  server(kAnswer);
  expect(1, 1, 0, "the rest of the answer");
  EXPECT_EQ(measured(), 1U);
  for (int i = 0; i < 9; ++i) {
    client(kRequest);
    server(kAnswer);
  }
  expect(10, 10, 0, "kept alive");
  EXPECT_EQ(measured(), 10U);
}

TEST_P(Turns, AreOneForAnUploadOfManySegments) {
  dial();
  for (int i = 0; i < 20; ++i) client(Bytes(1000, 'x'));
  server(Bytes());
  for (int i = 0; i < 20; ++i) client(Bytes(1000, 'x'));
  expect(1, 0, 0, "acknowledged in its middle");
  server(kAnswer);
  expect(1, 1, 0, "answered");
}

TEST_P(Turns, AreNotMadeByWhatComesTwice) {
  dial();
  client(kRequest);
  client(kRequest, TcpFlags::kAck, 1001);
  server(kAnswer);
  client(kRequest, TcpFlags::kAck, 1001);
  expect(1, 1, 0, "the request was retransmitted, before and after its answer");
  client(Bytes(1, 'x'), TcpFlags::kAck, client_seq_ - 1);
  expect(1, 1, 0, "a keep-alive probe of one byte");
  client(kRequest);
  server(kAnswer, TcpFlags::kAck, 900'001);
  expect(2, 1, 0, "the old answer, retransmitted, is none to the new request");
  server(kAnswer);
  expect(2, 2, 0, "answered");
}

TEST_P(Turns, BeginOnceWhereSegmentsComeInAnotherOrder) {
  dial();
  client(Bytes(1000, 'b'), TcpFlags::kAck, client_seq_ + 1000);
  client(Bytes(1000, 'a'), TcpFlags::kAck, client_seq_);
  expect(1, 0, 0, "the second half came first");
  client_seq_ += 2000;
  server(Bytes(1000, 'b'), TcpFlags::kAck, server_seq_ + 1000);
  server(Bytes(1000, 'a'), TcpFlags::kAck, server_seq_);
  expect(1, 1, 0, "so did that of the answer");
}

TEST_P(Turns, GoAcrossTheEndOfSequenceSpace) {
  dial();
  client(kRequest);
  server(kAnswer);
  for (std::uint32_t at : {0x7fffff00U, 0xfffffff0U}) {
    client(Bytes(), TcpFlags::kSyn, at);
    client_seq_ = at + 1;
    server_seq_ = at;
    server(Bytes(), TcpFlags::kSyn | TcpFlags::kAck);
    ++server_seq_;
    client(kRequest);
    server(kAnswer);
    client(kRequest);
    server(kAnswer);
  }
  if (!spilled()) expect(5, 5, 0, "4-tuple re-used, at 2^31 and 2^32");
}

TEST_P(Turns, AreNotAnsweredByAnInterimAnswer) {
  dial();
  client("POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n");
  server("HTTP/1.1 100 Continue\r\n\r\n");
  expect(1, 0, 0, "go on");
  client(Bytes(1000, 'x'));
  expect(1, 0, 0, "the body");
  server("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  expect(1, 0, 0, "still to come");
  server(kAnswer);
  expect(1, 1, 0, "answered");
  client(kRequest);
  server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
  expect(2, 2, 0, "101 is final");
  client(kRequest);
  server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(3, 3, 0, "both in one segment");
}

TEST_P(Turns, EndWithTheConnection) {
  dial();
  client(kRequest);
  server(Bytes(), TcpFlags::kRst);
  expect(1, 0, 1, "reset by the server");
  dial();
  client(kRequest);
  client(Bytes(), TcpFlags::kRst);
  expect(2, 0, 2, "reset by the client");
  dial();
  client(kRequest);
  server(Bytes(), TcpFlags::kFin | TcpFlags::kAck);
  expect(3, 0, 3, "closed by the server without a word");
  client(Bytes(), TcpFlags::kRst);
  server(Bytes(), TcpFlags::kRst);
  expect(3, 0, 3, "an end ends once");
}

TEST_P(Turns, GoOnWhenTheClientHasSaidAll) {
  dial();
  client(kRequest);
  client(Bytes(), TcpFlags::kFin | TcpFlags::kAck);
  expect(1, 0, 0, "half closed");
  server(kAnswer, TcpFlags::kFin | TcpFlags::kAck);
  expect(1, 1, 0, "answered with the FIN");
  client(kRequest, TcpFlags::kAck, 1001);
  expect(1, 1, 0, "a late copy of the request");
}

TEST_P(Turns, StartAnewWithANewConnectionOfTheSameAddresses) {
  dial();
  client(kRequest);
  server(kAnswer);
  client(Bytes(), TcpFlags::kRst);
  dial();
  client(kRequest);
  expect(2, 1, 0, "the sequence numbers are the same");
  client(Bytes(), TcpFlags::kSyn, 5'000'000);
  if (!spilled()) expect(2, 1, 1, "a new SYN while a request was open");
}

constexpr std::uint8_t kChange = 20, kAlert = 21, kHandshake = 22, kData = 23;

TEST_P(Turns, InTls13AreNeitherHandshakeNorGoodbye) {
  dial();
  client(record(kHandshake, 517));
  server(joined({record(kHandshake, 127), record(kChange, 6), record(kData, 900)}));
  client(joined({record(kChange, 6), record(kData, 58)}));
  expect(0, 0, 0, "Finished");
  server(record(kData, 250));
  client(record(kData, 100));
  expect(1, 0, 0, "asked");
  server(record(kData, 300));
  expect(1, 1, 0, "answered");
  client(record(kData, 24));
  expect(1, 1, 0, "goodbye");
}

TEST_P(Turns, InTlsAreNotTheRestOfALostHello) {
  dial();
  client(record(kHandshake, 517));
  client(Bytes(), TcpFlags::kRst);
  dial();
  client_seq_ += 1400;
  client(Bytes(400, 'x'));
  expect(0, 0, 0, "the service is known to speak TLS");
  client(record(kHandshake, 1400), TcpFlags::kAck, client_seq_ - 1800);
  server(record(kHandshake, 1000));
  client(joined({record(kChange, 6), record(kData, 58)}));
  expect(0, 0, 0, "Finished");
  client(record(kData, 100));
  expect(1, 0, 0, "asked");
}

TEST_P(Turns, InTls13MayComeWithFinished) {
  dial();
  client(record(kHandshake, 517));
  server(record(kHandshake, 1000));
  client(joined({record(kChange, 6), record(kData, 58), record(kData, 100)}));
  expect(1, 0, 0, "Finished and the first request in one segment");
  server(record(kData, 300));
  client(record(kAlert, 7));
  expect(1, 1, 0, "an alert in the clear");
}

TEST_P(Turns, InTls13AreNotAFinishedThatComesAlone) {
  dial();
  client(record(kHandshake, 517));
  client(record(kChange, 6));
  server(record(kHandshake, 1000));
  client(record(kData, 58));
  expect(0, 0, 0, "Finished, after a ChangeCipherSpec of its own segment");
  client(record(kData, 100));
  expect(1, 0, 0, "asked");
}

TEST_P(Turns, InTls12AreNeitherHandshakeNorResumption) {
  dial();
  client(record(kHandshake, 200));
  server(record(kHandshake, 2000));
  client(joined({record(kHandshake, 75), record(kChange, 6), record(kHandshake, 45)}));
  server(joined({record(kChange, 6), record(kHandshake, 45)}));
  expect(0, 0, 0, "a full handshake");
  client(record(kData, 100));
  server(record(kData, 100));
  expect(1, 1, 0, "asked and answered");
  client(Bytes(), TcpFlags::kRst);
  dial();
  client(record(kHandshake, 200));
  server(joined({record(kHandshake, 90), record(kChange, 6), record(kHandshake, 45)}));
  client(joined({record(kChange, 6), record(kHandshake, 45)}));
  expect(1, 1, 0, "resumed");
  client(record(kData, 100));
  expect(2, 1, 0, "asked");
}

TEST_P(Turns, CountOnConnectionsFromBeforeUs) {
  dial();
  for (std::uint32_t i = 0; i < maps().turns.size(); ++i) maps().turns.clear(i);
  server_seq_ = 0xc000'0000;  // behind 0, as sequence numbers go
  server(kAnswer);
  expect(0, 0, 0, "nobody knows what this answers");
  client(kRequest);
  expect(1, 0, 0, "asked");
  server(kAnswer);
  expect(1, 1, 0, "answered");
}

/// A ClientHello with a session id, three cipher suites and, behind another extension, ALPN.
Bytes client_hello(const std::vector<std::string>& protocols) {
  Bytes names;
  for (const std::string& name : protocols) {
    names.push_back(static_cast<std::uint8_t>(name.size()));
    names.insert(names.end(), name.begin(), name.end());
  }
  const auto two = [](std::size_t n) {
    return Bytes{static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
  };
  const Bytes alpn = joined({{0, 16}, two(names.size() + 2), two(names.size()), names});
  const Bytes extensions = joined({{0, 0x17, 0, 0, 0, 0x0b, 0, 2, 1, 0}, alpn});
  const Bytes hello = joined({{3, 3},
                              Bytes(32, 'r'),
                              {32},
                              Bytes(32, 's'),
                              {0, 6},
                              Bytes(6, 'c'),
                              {1, 0},
                              two(extensions.size()),
                              extensions});
  const Bytes message = joined({{1, 0}, two(hello.size()), hello});
  return joined({{22, 3, 1}, two(message.size()), message});
}

TEST_P(Turns, InTlsThatIsHttp2AreSaidToBeUncountable) {
  for (const bool offers : {true, false}) {
    dial();
    client(offers ? client_hello({"h2", "http/1.1"}) : client_hello({"http/1.1"}));
    server(joined({record(kHandshake, 127), record(kChange, 6), record(kData, 900)}));
    client(joined({record(kChange, 6), record(kData, 58)}));
    client(record(kData, 100));
    server(record(kData, 60));
    client(record(kData, 5 + 26));
    EXPECT_EQ(tcp_counters().connections[FLARE_CLASS_TLS_MUX], 1U)
        << (offers ? "the acknowledgement of SETTINGS" : "HTTP/2 was not offered");
    client(Bytes(), TcpFlags::kRst);
  }
  EXPECT_EQ(tcp_counters().connections[FLARE_CLASS_TLS_TURNS], 2U);
  EXPECT_EQ(maps().admission.read(kTcpService).speaks, FLARE_CLASS_TLS_TURNS);
}

TEST_P(Turns, AreConnectionsWhereTheServiceSaysSo) {
  adjust([](flare_service& service) { service.counting = FLARE_COUNTING_CONNECTIONS; });
  dial();
  expect(1, 0, 0, "open");
  client(Bytes(), TcpFlags::kSyn, 1000);
  expect(1, 0, 0, "a SYN that is sent again");
  for (int i = 0; i < 3; ++i) {
    client(kRequest);
    server(kAnswer);
  }
  expect(1, 0, 0, "what goes over it does not matter");
  server(Bytes(), TcpFlags::kFin | TcpFlags::kAck);
  expect(1, 1, 0, "closed");
  dial();
  client(Bytes(), TcpFlags::kRst);
  expect(2, 1, 1, "reset");
  EXPECT_EQ(measured(), 0U) << "how long a connection lives is no latency";
}

TEST_P(Turns, ArePinnedWhereTheConnectionIsOlderThanTheSteering) {
  dial();
  client(kRequest);
  server(kAnswer);
  EXPECT_EQ(tcp_counters().pinned[GetParam().tier], 0U);
  adjust([](flare_service& service) { ++service.steering; });
  client(kRequest);
  server(kAnswer);
  EXPECT_EQ(tcp_counters().pinned[GetParam().tier], 1U);
  client(Bytes(), TcpFlags::kRst);
  dial();
  client(kRequest);
  EXPECT_EQ(tcp_counters().pinned[GetParam().tier], 1U) << "a connection opened since";
}

INSTANTIATE_TEST_SUITE_P(Ways, Turns, testing::ValuesIn(turn_ways()), turn_way_name);

class TurnTable : public Turns {};

TEST_P(TurnTable, ReusesTheSlotOfTheLongestSilentAndEndsItsRequest) {
  const flare_settings settings = *maps().settings.lookup(0);
  // clients whose connections fall into one set
  const auto set_of = [&](std::uint16_t port) {
    flare_flow_key key{};
    key.src = Address::parse(scene_.client_ip())->raw;
    key.dst = Address::parse(scene_.host_ip())->raw;
    key.sport = htons(port);
    key.dport = tcp_.key.port;
    key.proto = 6;
    return static_cast<std::uint32_t>(flow_hash(&key, settings.hash_key) >> 32) &
           (FLARE_TURN_SETS - 1);
  };
  std::map<std::uint32_t, std::vector<std::uint16_t>> by_set;
  std::vector<std::uint16_t> ports;
  for (std::uint32_t port = 1; port < 65536 && ports.empty(); ++port) {
    auto& same = by_set[set_of(static_cast<std::uint16_t>(port))];
    same.push_back(static_cast<std::uint16_t>(port));
    if (same.size() > FLARE_TURN_WAYS) ports = same;
  }
  ASSERT_EQ(ports.size(), FLARE_TURN_WAYS + 1U) << "no five ports of one set";
  for (const std::uint16_t port : ports) {
    dial(port);
    client(kRequest);
  }
  expect(FLARE_TURN_WAYS + 1, 0, 1, "five open requests, four slots");
}

INSTANTIATE_TEST_SUITE_P(Ways, TurnTable,
                         testing::Values(TurnWay{kWays[0], FLARE_TIER_VM},
                                         TurnWay{kWays[3], FLARE_TIER_VM}),
                         turn_way_name);

/// The cap on the VM tier's requests in flight, and the bucket's share of old connections.
class Cap : public Turns {
 protected:
  void SetUp() override {
    Turns::SetUp();
    adjust([](flare_service& service) {
      service.cap = 3;
      service.workers = 2;
      service.policy = FLARE_POLICY_CAP;
    });
  }
  std::string open(std::uint16_t port) {
    return run_packet(hook(), tcp(scene_.client(port), scene_.frontend(), TcpFlags::kSyn)).reason;
  }
};

TEST_P(Cap, SpillsTheVeryFirstThatFindsItReached) {
  for (std::uint16_t port = 1; port <= 3; ++port) {
    EXPECT_EQ(open(port), "vm-new") << "connections that ask nothing are no load";
  }
  for (std::uint16_t port = 11; port <= 13; ++port) {
    dial(port);
    client(kRequest);
  }
  EXPECT_EQ(tcp_counters().busy, 1U) << "the third found both workers busy";
  EXPECT_EQ(open(14), "spill-new");
  EXPECT_EQ(tcp_counters().spilled[FLARE_SPILL_CAP], 1U);
  server(kAnswer);
  EXPECT_EQ(open(15), "vm-new") << "one is answered";
}

TEST_P(Cap, HoldsWithTheAgentDead) {
  for (std::uint16_t port = 11; port <= 13; ++port) {
    dial(port);
    client(kRequest);
  }
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 0);
  EXPECT_EQ(open(14), "spill-new");
  adjust([](flare_service& service) { service.fallback = FLARE_FALLBACK_VM; });
  EXPECT_EQ(open(16), "vm-new");
}

TEST_P(Cap, ComparesWhatTheServiceReports) {
  adjust([](flare_service& service) { service.counting = FLARE_COUNTING_REPORTED; });
  for (std::uint16_t port = 11; port <= 13; ++port) {
    dial(port);
    client(kRequest);
  }
  EXPECT_EQ(open(14), "vm-new") << "three are in flight, but the service says none";
  maps().admission.set(kTcpService, &flare_admission::reported, 3);
  EXPECT_EQ(open(15), "spill-new");
  maps().admission.set(kTcpService, &flare_admission::reported, 0);
  maps().heartbeat.set(0, &flare_heartbeat::beat_ns, 0);
  EXPECT_EQ(open(16), "spill-new") << "a dead agent takes no reports: what packets show holds";
}

TEST_P(Cap, CountsWhatIsLeftToTheVmAboveIt) {
  adjust([](flare_service& service) { service.hour_budget = 0; });
  for (std::uint16_t port = 11; port <= 13; ++port) {
    dial(port);
    client(kRequest);
  }
  EXPECT_EQ(tcp_counters().over_cap, 0U);
  EXPECT_EQ(open(14), "vm-overload") << "no leave to spend";
  EXPECT_EQ(tcp_counters().over_cap, 1U);
}

TEST_P(Cap, ChargesRequestsOfOldConnectionsToTheBucket) {
  adjust([](flare_service& service) {
    service.cap = 0;
    service.bucket_interval_ns = 3'600'000 * kMs;
    service.bucket_depth_ns = 4 * service.bucket_interval_ns;
  });
  dial(11);
  client(kRequest);
  server(kAnswer);
  EXPECT_EQ(open(12), "vm-new") << "2 of 4 tokens: a connection and its first request are one";
  client(kRequest);
  server(kAnswer);
  EXPECT_EQ(open(13), "vm-new") << "4 of 4: the old connection's second request took one";
  client(kRequest);
  server(kAnswer);
  EXPECT_EQ(open(14), "spill-new");
  EXPECT_EQ(tcp_counters().early_bucket, 1U) << "and the workers were idle";
}

INSTANTIATE_TEST_SUITE_P(Ways, Cap,
                         testing::Values(TurnWay{kWays[0], FLARE_TIER_VM},
                                         TurnWay{kWays[1], FLARE_TIER_VM},
                                         TurnWay{kWays[2], FLARE_TIER_VM},
                                         TurnWay{kWays[3], FLARE_TIER_VM}),
                         turn_way_name);

}  // namespace
}  // namespace flare::test
