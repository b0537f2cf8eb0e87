// Clients and servers that an input makes speak: connections with sequence numbers, so that
// requests, HTTP/2 and moves are reached, and not only single packets.
#pragma once

#include <array>

#include "datapath/frame_builder.h"
#include "datapath/session.h"

namespace flare::fuzz {

class Talk {
 public:
  explicit Talk(Session& session) : session_(session) {}
  /// Takes the next step of the input. `packets_only`: no other step does anything.
  void step(Input& input, bool packets_only = false);

 private:
  /// One client's connection, or its datagrams, to one service.
  struct Side {
    std::uint32_t client_seq = 1000, server_seq = 5000;
    flare_flow_key at_server{};  ///< the client's packets as they left us
    bool heard = false;          ///< one has
    bool passed = false;         ///< it was left to this host's stack
  };

  void raw(Input& input);
  void client(Input& input);
  void server(Input& input);
  void again(Input& input);
  void error(Input& input);
  void fragment(Input& input);
  Side& side_of(std::uint8_t who);
  Segment segment_of(std::uint8_t who) const;
  /// Changes up to three bytes as the input says.
  static void patch(Frame& frame, Input& input);
  static Frame client_words(Input& input);
  static Frame server_words(Input& input);
  Left send(Frame frame, std::uint8_t how, Input& input);

  Session& session_;
  std::array<Side, 16> sides_{};
  Frame last_;  ///< as it arrived
  std::uint8_t last_how_ = 0;
  Frame sent_;  ///< the last one that was sent on, as it left
};

}  // namespace flare::fuzz
