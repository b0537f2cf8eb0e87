// A stream of datagrams of many flows through the receiver lab, counted packet by packet: what was
// handed to the VM's wire, and what came back from it translated.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "e2e/lab.h"
#include "support/packet.h"

namespace flare::test {

/// What came of a stream.
struct StreamCount {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;   ///< sent and never seen behind the datapath, all flows added up
  std::uint64_t moved = 0;  ///< seen by another backend, or port of ours, than the flow's first
  std::uint64_t replies = 0;
};

/// That nothing was lost and no flow moved; also records what was counted.
void expect_nothing_lost(const StreamCount& count);

/// Frames go by a packet socket from the router's end of the VM's link, so that nothing but the
/// datapath can lose one; a program at the same end counts what comes back and takes it off the
/// wire. No more than half of a veth's queue is under way at once.
class PacketStream {
 public:
  /// `frontend`, of UDP, is a service of the lab's VM that spills to the cloud; `client` an address
  /// behind the router. Opens every flow, and has each answered once so that it settles; throws
  /// where one does not come back.
  PacketStream(const Lab& lab, const std::string& client, const std::string& frontend,
               std::uint32_t flows);
  ~PacketStream();
  PacketStream(const PacketStream&) = delete;
  PacketStream& operator=(const PacketStream&) = delete;

  /// Sends from now on, at `rate` packets a second; 0: as fast as they come back.
  void start(double rate);
  /// Ends it and waits for what is under way.
  StreamCount stop();

  std::uint64_t sent() const { return sent_; }

 private:
  struct Sink;

  Bytes reply_to(std::uint32_t flow) const;
  void settle();
  void send_one(const Bytes& frame) const;
  void run(double rate);
  bool await_room(std::uint64_t under_way_max);

  std::string router_;
  std::string vm_mac_;
  std::string client_;
  std::unique_ptr<Sink> sink_;
  UniqueFd socket_;
  std::string backend_host_;
  std::string vm_host_;
  std::vector<Bytes> frames_;  ///< one of each flow
  std::atomic<std::uint64_t> sent_ = 0;
  std::uint64_t lost_before_ = 0;  ///< what the window no longer waits for
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace flare::test
