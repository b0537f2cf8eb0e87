#include "seeds/conversation_seeds.h"

#include <string_view>

#include "flare/abi.h"
#include "fuzz/datapath/input.h"

namespace flare::test {
namespace {

constexpr std::uint8_t kFewPorts = 0x10;  // of the last byte of a setup
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16, kSack = 0x80;

/// What datapath/talk.cpp makes of the first byte of `words`, client's and server's.
Bytes nothing() { return {0}; }
Bytes preface() { return {3}; }
Bytes get() { return {1}; }
Bytes get_http10() { return {2}; }
Bytes answer() { return {1}; }
Bytes interim_answer() { return {2}; }
Bytes answer_without_connection() { return {3}; }
Bytes hello(bool h2) { return {5, static_cast<std::uint8_t>(h2)}; }
Bytes tls_data(std::uint8_t bytes) { return {6, bytes}; }
Bytes h2_answer(std::uint8_t bytes) { return {5, bytes}; }
Bytes h2_frame(std::uint8_t type, std::uint8_t flags, std::uint8_t bytes, std::uint8_t stream) {
  return {4, type, flags, bytes, stream};
}

/// Steps of one connection, as datapath/talk.cpp reads them.
class Conversation {
 public:
  Conversation(Bytes setup, std::uint8_t who) : input_(std::move(setup)), who_(who) {}

  /// `back`: bytes before the next sequence number; negative: ahead of it.
  void client(std::uint8_t flags, const Bytes& words, int back = 0) {
    speak(fuzz::kStepClient, flags, words, back);
  }
  void server(std::uint8_t flags, const Bytes& words, int back = 0) {
    speak(fuzz::kStepServer, flags, words, back);
  }
  void client_bytes(const Bytes& payload, int back = 0) {
    Bytes words = {7, static_cast<std::uint8_t>(payload.size())};
    words.insert(words.end(), payload.begin(), payload.end());
    client(kAck, words, back);
  }
  void server_bytes(const Bytes& payload, int back = 0) {
    Bytes words = {7, static_cast<std::uint8_t>(payload.size()), 0};
    words.insert(words.end(), payload.begin(), payload.end());
    server(kAck, words, back);
  }
  /// Another client of the same service talks from here on, of four.
  void become(std::uint8_t client) { who_ = static_cast<std::uint8_t>((who_ & 3) | client << 2); }
  void again() { input_.insert(input_.end(), {fuzz::kStepAgain, 0, 0}); }
  /// 2 to the power of `exponent` nanoseconds.
  void wait(std::uint8_t exponent) { input_.insert(input_.end(), {fuzz::kStepTime, exponent}); }
  void open() {
    client(kSyn, nothing());
    server(kSyn | kAck, nothing());
    client(kAck, nothing());
  }
  void close() {
    client(kFin | kAck, nothing());
    server(kFin | kAck, nothing());
    client(kAck, nothing());
  }
  const Bytes& input() const { return input_; }

 private:
  void speak(std::uint8_t step, std::uint8_t flags, const Bytes& words, int back) {
    input_.insert(input_.end(), {step, 0, who_, flags, static_cast<std::uint8_t>(back)});
    input_.insert(input_.end(), words.begin(), words.end());
    input_.push_back(0);  // no byte changed
  }

  Bytes input_;
  std::uint8_t who_;
};

void http1(Conversation& talk) {
  talk.open();
  talk.client(kAck, get());
  talk.server(kAck, interim_answer());
  talk.server(kAck, answer());
  talk.again();
  talk.client(kAck, get());
  talk.server(kAck, answer_without_connection());
  talk.close();
}

void http10(Conversation& talk) {
  talk.open();
  talk.client(kAck, get_http10());
  talk.server(kAck, answer());
  talk.server(kFin | kAck, nothing());
  talk.client(kFin | kAck, nothing());
}

/// The server's second segment gets a GOAWAY behind it where connections move; what follows is
/// translated.
void http2(Conversation& talk) {
  talk.open();
  talk.client(kAck, preface());
  talk.server(kAck, h2_frame(4, 0, 0, 0));
  talk.server(kAck, h2_answer(20));
  talk.again();
  talk.server(kAck, h2_answer(20), 44);
  talk.server(kAck, h2_answer(60), 30);
  talk.client(kAck | kSack, nothing());
  talk.client(kAck | kSack, h2_frame(1, 5, 10, 3));
  talk.server(kAck, h2_frame(1, 5, 8, 3));
  talk.server(kAck, h2_frame(1, 5, 8, 3), 17);
  talk.wait(34);
  talk.client(kAck, h2_frame(0, 1, 4, 3));
  talk.close();
}

void http2_frames(Conversation& talk) {
  talk.open();
  talk.client(kAck, preface());
  for (std::uint8_t type = 0; type < 12; ++type) {
    const std::uint8_t bytes = type == 2 ? 5 : type == 6 ? 8 : type == 4 ? 6 : 4;
    const bool on_connection = type == 4 || type == 6 || type == 7;
    const std::uint8_t stream =
        on_connection ? 0 : static_cast<std::uint8_t>(type == 3 ? 1 : 3 + 2 * type);
    talk.client(kAck, h2_frame(type, 0, bytes, stream));
    talk.server(kAck, h2_frame(type, 1, bytes, stream));
  }
  talk.server(kAck, h2_frame(7, 0, 8, 0));
  talk.client(kRst, nothing());
}

/// Heads of frames that lie in two segments, and a segment that ends within a frame.
void http2_pieces(Conversation& talk) {
  talk.open();
  talk.client(kAck, preface());
  talk.client_bytes({0, 0, 4, 1});
  talk.client_bytes({5, 0, 0, 0, 3, 'h', 'h', 'h', 'h'});
  talk.client_bytes({0, 0, 20, 1, 4, 0, 0, 0, 5, 'h', 'h'});
  talk.client_bytes(Bytes(18, 'h'));
  talk.server_bytes({0, 0, 4});
  talk.server_bytes({1, 5, 0, 0, 0, 1, 'h', 'h', 'h', 'h', 0, 0, 4, 3, 0});
  talk.server_bytes({0, 0, 0, 3, 0, 0, 0, 0});
  talk.server_bytes({0, 0, 1, 0, 1, 0, 0, 0, 5, 'h'});
  talk.close();
}

/// Segments of both sides that come after the next one, twice over.
void http2_holes(Conversation& talk) {
  talk.open();
  talk.client(kAck, preface());
  talk.client(kAck, h2_frame(1, 5, 4, 5), -13);
  talk.client(kAck, h2_frame(1, 5, 4, 3), 26);
  talk.client(kAck, nothing(), -13);
  talk.client(kAck, h2_frame(1, 5, 4, 9), -26);
  talk.client(kAck, h2_frame(1, 5, 4, 7), 26);
  talk.server(kAck, h2_frame(1, 5, 4, 3), -13);
  talk.server(kAck, h2_frame(1, 5, 4, 1), 26);
  talk.server(kAck, h2_frame(3, 0, 4, 5), -13);
  talk.wait(36);
  talk.client(kAck, h2_frame(1, 5, 4, 11), -39);
  talk.server(kFin | kAck, nothing());
  talk.client(kRst | kAck, nothing());
}

/// Setup with two NAT ports: new flows want those of flows that have ended, or of nobody's
/// handshake.
void crowd(Conversation& talk) {
  for (std::uint8_t client = 0; client < 2; ++client) {
    talk.become(client);
    talk.open();
    talk.close();
  }
  talk.wait(34);
  for (std::uint8_t client = 2; client < 4; ++client) {
    talk.become(client);
    talk.client(kSyn, nothing());
  }
  talk.wait(35);
  talk.become(0);
  talk.open();
  talk.become(1);
  talk.open();
  talk.client(kRst, nothing());
  talk.become(2);
  talk.open();
  talk.wait(33);
  talk.become(3);
  talk.client(kSyn, nothing());
}

void tls(Conversation& talk, bool h2) {
  talk.open();
  talk.client(kAck, hello(h2));
  talk.server_bytes({22, 3, 3, 0, 4, 2, 0, 0, 0});
  talk.client_bytes({20, 3, 3, 0, 1, 1});
  talk.client(kAck, tls_data(40));
  talk.client(kAck, tls_data(26));
  talk.client(kAck, tls_data(90));
  talk.server(kAck, tls_data(90));
  talk.wait(35);
  talk.client_bytes({20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 's', 's'});
  talk.client_bytes({21, 3, 3, 0, 2, 1, 0});
  talk.client(kAck, tls_data(19));
  talk.close();
}

/// Setups: where the service stands, how much spills, whether connections move.
std::vector<Bytes> setups() {
  std::vector<Bytes> found;
  constexpr int kPlaces[] = {FLARE_PLACEMENT_RECEIVER, FLARE_PLACEMENT_BALANCER,
                             FLARE_PLACEMENT_BALANCER | FLARE_SNAT_NEVER << 2 | 0x20};
  for (const int place : kPlaces)
    for (const int share : {0, 1})
      for (const int moves : {0, 0x40}) {
        Bytes setup(fuzz::kSetupBytes, 0);
        setup[0] = static_cast<std::uint8_t>(place);
        setup[2] = static_cast<std::uint8_t>(share | moves);
        setup[9] = moves == 0 ? 2 : 1 | kFewPorts;
        found.push_back(setup);
      }
  return found;
}

}  // namespace

std::vector<Bytes> conversations() {
  using Story = void (*)(Conversation&);
  const Story stories[] = {http1,
                           http10,
                           http2,
                           http2_frames,
                           http2_pieces,
                           http2_holes,
                           crowd,
                           [](Conversation& talk) { tls(talk, false); },
                           [](Conversation& talk) { tls(talk, true); }};
  constexpr std::uint8_t kFamilies[] = {0, 1};
  std::vector<Bytes> found;
  for (const Bytes& setup : setups())
    for (const std::uint8_t who : kFamilies)
      for (const Story story : stories) {
        Conversation talk(setup, who);
        story(talk);
        found.push_back(talk.input());
      }
  return found;
}

}  // namespace flare::test
