// The tests' own eye on the VM tier's decisions sees each of them.
#include "support/datapath_fixture.h"

namespace flare::test {
namespace {

class VmFlowDigest : public DatapathTest {};

TEST_F(VmFlowDigest, ChangesWithEachEntryAndIsNothingOfNone) {
  EXPECT_EQ(digest_of_vm_flows(), 0U);
  std::uint64_t before = 0;
  for (const std::uint32_t slot : {0U, 1U, 4711U, FLARE_VM_FLOWS_MAX - 1U}) {
    ASSERT_TRUE(maps().vm_flows.update(slot, {.tag = 7, .seen_ns = 9}));
    EXPECT_NE(digest_of_vm_flows(), before) << "an entry came at " << slot;
    before = digest_of_vm_flows();
    ASSERT_TRUE(maps().vm_flows.update(slot, {.tag = 7, .seen_ns = 10}));
    EXPECT_NE(digest_of_vm_flows(), before) << "another time at " << slot;
    before = digest_of_vm_flows();
  }
  forget_packets();
  EXPECT_EQ(digest_of_vm_flows(), 0U);
  EXPECT_EQ(maps().vm_flows.lookup(4711)->tag, 0U);
}

}  // namespace
}  // namespace flare::test
