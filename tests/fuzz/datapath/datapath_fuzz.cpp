// The shipped datapath under libFuzzer: an input is a configuration and a sequence of packets, and
// each packet is judged by the five rules (rules.h). FLARE_FUZZ_XDP says which of its ways is
// meant.
#include "datapath/accounts.h"
#include "datapath/talk.h"

namespace {

constexpr int kStepsMax = 64;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static flare::fuzz::Session session(FLARE_FUZZ_XDP);
  flare::fuzz::Input input({bytes, size});
  session.begin(input);
  flare::fuzz::Talk talk(session);
  for (int step = 0; step < kStepsMax && !input.empty(); ++step) talk.step(input);
  flare::fuzz::judge_accounts(session.world());
  return 0;
}
