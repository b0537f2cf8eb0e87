// Programs on made packets before they are attached: the shipped ones pass, bad ones do not.
#include "kernel/dry_run.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include <array>
#include <span>

#include "kernel_test.h"
#include "model/address.h"

namespace flare {
namespace {

class DryRun : public LoadedTest {
 protected:
  static flare_service_key key_of(std::string_view frontend) {
    const auto endpoint = Endpoint::parse(frontend);
    flare_service_key key{};
    key.addr = endpoint->address.raw;
    key.port = htons(endpoint->port);
    key.proto = IPPROTO_TCP;
    return key;
  }
  /// Of all packets that any hook has counted.
  std::uint64_t counted() const {
    std::uint64_t sum = 0;
    const auto totals = maps().reason_totals();
    for (const auto& hook : totals.packets)
      for (const std::uint64_t packets : hook) sum += packets;
    return sum;
  }
};

TEST_F(DryRun, PassesTheShippedProgramsAndCountsReasonsOnly) {
  ASSERT_OK(datapath_->dry_run());
  EXPECT_EQ(counted(), 4U * FLARE_HOOKS_COUNT);
  for (const auto placement :
       {FLARE_PLACEMENT_RECEIVER, FLARE_PLACEMENT_BALANCER, FLARE_PLACEMENT_SENDER}) {
    for (const char* frontend : {"192.0.2.1:80", "[2001:db8::1]:443"}) {
      const flare_service_key key = key_of(frontend);
      flare_service service{};
      service.placement = static_cast<__u8>(placement);
      ASSERT_OK(maps().services.update(key, service));
      const std::uint64_t before = counted();
      ASSERT_OK(datapath_->dry_run());
      EXPECT_EQ(counted(), before + 4U * FLARE_HOOKS_COUNT + 3) << "egress has no such packet";
      ASSERT_OK(maps().services.erase(key));
    }
  }
  const auto service = maps().service_totals(0);
  EXPECT_EQ(service.tier[FLARE_TIER_VM].packets_in, 0U);
  EXPECT_EQ(service.tier[FLARE_TIER_VM].packets_out, 0U);
  EXPECT_EQ(*maps().flows.count() + *maps().embryos.count(), 0U);
}

constexpr bpf_insn insn(int code, int dst, int src, int off, int imm) {
  bpf_insn one{};
  one.code = static_cast<__u8>(code);
  one.dst_reg = static_cast<__u8>(dst & 0xf);
  one.src_reg = static_cast<__u8>(src & 0xf);
  one.off = static_cast<__s16>(off);
  one.imm = imm;
  return one;
}
constexpr bpf_insn kExit = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
constexpr bpf_insn returns(int verdict) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, verdict);
}

TEST_F(DryRun, RefusesInWordsWhatDoesOtherThanItMust) {
  struct Case {
    std::vector<bpf_insn> code;  ///< of an XDP program
    const char* words;
  };
  const Case cases[]{
      {{returns(XDP_DROP), kExit}, "it returned 1, not 2"},
      {{returns(XDP_PASS), kExit}, "did not count 'not-ip'"},
      {{insn(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0),  // data
        insn(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 4, 0),  // data_end
        insn(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
        insn(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, 14), insn(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 1, 0),
        insn(BPF_ST | BPF_MEM | BPF_B, 2, 0, 3, 7), returns(XDP_PASS), kExit},
       "it changed the packet"}};
  for (const Case& one : cases) {
    const UniqueFd program(
        bpf_prog_load(BPF_PROG_TYPE_XDP, "bad", "GPL", one.code.data(), one.code.size(), nullptr));
    ASSERT_TRUE(program) << one.words;
    const auto tried = dry_run(FLARE_HOOK_XDP, program.get(), maps());
    ASSERT_FALSE(tried) << one.words;
    EXPECT_NE(tried.error().message().find(one.words), std::string::npos)
        << tried.error().message();
  }
}

}  // namespace
}  // namespace flare
