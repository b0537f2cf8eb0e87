#include "datapath/encounter.h"

#include <linux/bpf.h>

namespace flare::fuzz {
namespace {

#define WORD_OF(name, word, fate) word,
#define FATE_OF(name, word, fate) FLARE_FATE_##fate,
constexpr const char* kWords[] = {FLARE_REASONS(WORD_OF) "none"};
constexpr flare_fate kFates[] = {FLARE_REASONS(FATE_OF) FLARE_FATE_PASS};

}  // namespace

Verdicts verdicts_of(flare_hook hook) {
  return hook == FLARE_HOOK_XDP ? Verdicts{XDP_PASS, XDP_DROP, XDP_TX} : Verdicts{-1, 2, 7};
}

flare_fate fate_of(unsigned reason) { return kFates[reason]; }
const char* word_of(unsigned reason) { return kWords[reason]; }

}  // namespace flare::fuzz
