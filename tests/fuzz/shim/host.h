// What the helpers of the programs under test see: a clock, routes, one packet, and faults.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace flare::fuzz {

using Frame = std::vector<std::uint8_t>;

/// Memory of one packet, below 4 GB, as a context's 32-bit pointers want it. While a program runs
/// it can touch the linear part and nothing else: the sanitizer knows the rest as poisoned.
class PacketBuffer {
 public:
  static constexpr std::size_t kHeadroom = 256, kBytes = 8192, kFrameMax = 4096;

  PacketBuffer();
  PacketBuffer(const PacketBuffer&) = delete;
  PacketBuffer& operator=(const PacketBuffer&) = delete;

  /// The next packet. Only `linear` bytes of it can be reached directly.
  void put(std::span<const std::uint8_t> frame, std::size_t linear);
  Frame take();

  std::uint32_t data() const { return address(start_); }
  std::uint32_t data_end() const { return address(start_ + linear_); }
  std::size_t size() const { return bytes_; }
  std::size_t linear() const { return linear_; }

  bool load(std::size_t offset, void* to, std::size_t bytes);
  bool store(std::size_t offset, const void* from, std::size_t bytes);
  bool pull(std::size_t bytes);
  /// Makes or takes bytes in front; what is new has no meaning.
  bool adjust_head(int delta);
  bool adjust_tail(int delta);
  /// Opens a gap of `bytes` at `offset`, or closes one.
  bool insert(std::size_t offset, std::size_t bytes);
  bool erase(std::size_t offset, std::size_t bytes);

 private:
  std::uint32_t address(std::size_t offset) const;
  void lock();
  void unlock();

  std::uint8_t* memory_;
  std::size_t start_ = kHeadroom, bytes_ = 0, linear_ = 0;
};

/// What the kernel's routing says; the network of tests/support/datapath_fixture.cpp.
struct Routes {
  bool forwarding = true;
  bool backends_lost = false;  ///< no route to any of 203.0.113.0/24, 2001:db8:5::/48
};

constexpr std::uint32_t kMainDevice = 2, kSideDevice = 3;

struct Host {
  std::uint64_t now_ns = 0;
  Routes routes;
  PacketBuffer packet;
  bool partial_checksum = false;  ///< tc: as a sender on this host leaves it to the device
  std::uint32_t redirected_to = 0;
  unsigned fail_helper = 0;  ///< the n-th call that may fail does; 0: none
  bool failed = false;       ///< one has

  bool fails() {
    if (fail_helper == 0 || --fail_helper != 0) return false;
    failed = true;
    return true;
  }
};
Host& host();

}  // namespace flare::fuzz
