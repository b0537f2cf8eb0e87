// Addresses and endpoints as text.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "model/address.h"

namespace flare {
namespace {

TEST(Address, Ipv4IsKeptAsAMappedAddress) {
  const auto address = Address::parse("192.0.2.1");
  ASSERT_TRUE(address);
  EXPECT_TRUE(address->is_v4());
  EXPECT_EQ(address->raw.word[0], 0U);
  EXPECT_EQ(address->raw.word[2], htonl(0xffff));
  EXPECT_EQ(address->raw.word[3], htonl(0xc0000201));
}

class EndpointText : public testing::TestWithParam<const char*> {};
TEST_P(EndpointText, ComesBackAsItWas) {
  const auto endpoint = Endpoint::parse(GetParam());
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->text(), GetParam());
}
INSTANTIATE_TEST_SUITE_P(Good, EndpointText,
                         testing::Values("192.0.2.1:80", "255.255.255.255:65535",
                                         "[2001:db8::1]:80", "[::]:1"));

class NoEndpoint : public testing::TestWithParam<const char*> {};
TEST_P(NoEndpoint, IsRefused) { EXPECT_FALSE(Endpoint::parse(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Bad, NoEndpoint,
                         testing::Values("", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0",
                                         "192.0.2.1:080", "192.0.2.1:65536", "192.0.2.1:-1",
                                         "192.0.2.1:80 ", " 192.0.2.1:80", "192.0.2.1:+80",
                                         "[192.0.2.1]:80", "2001:db8::1:80", "[2001:db8::1]",
                                         "[2001:db8::1:80", "[fe80::1%1]:80",
                                         "[::ffff:192.0.2.1]:80", "localhost:80", "1.2.3:80"));

TEST(Endpoint, OrdersByAddressThenPort) {
  EXPECT_LT(*Endpoint::parse("192.0.2.1:81"), *Endpoint::parse("192.0.2.2:80"));
  EXPECT_LT(*Endpoint::parse("192.0.2.1:80"), *Endpoint::parse("192.0.2.1:81"));
}

}  // namespace
}  // namespace flare
