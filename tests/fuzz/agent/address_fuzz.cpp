// Addresses, endpoints and prefixes from text: what is accepted is what inet_pton accepts, and its
// text is read as the same again.
#include <arpa/inet.h>

#include <string>

#include "agent/must.h"
#include "model/address.h"

namespace {

using flare::fuzz::must;

bool system_reads(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

template <typename Kind>
void read_again(std::string_view text) {
  const auto read = Kind::parse(text);
  if (!read) return;
  const auto again = Kind::parse(read->text());
  must(again && *again == *read, "the text of what was read is read as the same", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = flare::fuzz::text_of(bytes, size);
  read_again<flare::Address>(text);
  read_again<flare::Endpoint>(text);
  read_again<flare::Prefix>(text);
  const auto address = flare::Address::parse(text);
  const bool whole = text.find('\0') == std::string_view::npos;
  if (address) {
    must(whole && system_reads(std::string(text)), "an address is one to the system too", text);
    must(text.find_first_of("[]%/ ") == std::string_view::npos, "no brackets, no scope", text);
  }
  if (const auto endpoint = flare::Endpoint::parse(text))
    must(endpoint->port != 0, "an endpoint has a port", text);
  if (const auto prefix = flare::Prefix::parse(text)) {
    must(prefix->bits <= (prefix->address.is_v4() ? 32U : 128U), "bits of the family", text);
    must(prefix->key().bits <= 128, "bits of the trie", text);
  }
  return 0;
}
