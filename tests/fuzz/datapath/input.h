// The bytes of an input, taken one after the other; behind their end all is 0.
#pragma once

#include <cstdint>
#include <span>

namespace flare::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : left_(bytes) {}

  bool empty() const { return left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }
  std::uint16_t number() {
    const std::uint8_t low = byte();
    return static_cast<std::uint16_t>(low | byte() << 8);
  }
  std::span<const std::uint8_t> bytes(std::size_t wanted) {
    const auto taken = left_.first(wanted < left_.size() ? wanted : left_.size());
    left_ = left_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::uint8_t> left_;
};

/// An input begins with kSetupBytes bytes (struct Setup), then has one step after the other, each
/// with its kind first. tests/fuzz/seeds writes such inputs from the packet fixtures.
constexpr std::size_t kSetupBytes = 10;

enum Step : std::uint8_t {
  kStepRaw,       ///< how, length (2 bytes), a frame
  kStepClient,    ///< how, who, what a client sends to a service
  kStepServer,    ///< how, who, what comes back
  kStepAgain,     ///< how, the last frame once more, with changes
  kStepError,     ///< how, an ICMP error about the last frame that was sent
  kStepFragment,  ///< how, who, a fragment
  kStepTime,      ///< an exponent: the clock goes on
  kStepAgent,     ///< what, which: the agent, or the network, changes something
  kStepFault,     ///< what fails while the next frame is looked at
  kStepsCount
};

/// Bits of `how`.
constexpr std::uint8_t kHowEgress = 0x01, kHowForeign = 0x02, kHowPartial = 0x04, kHowTag = 0x08,
                       kHowSplit = 0x10, kHowGso = 0x20;

}  // namespace flare::fuzz
