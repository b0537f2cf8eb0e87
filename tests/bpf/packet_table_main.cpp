// Writes the table of packet fixtures into docs/packets.md: flare_packet_table docs/packets.md
#include <cstdio>
#include <exception>

#include "packet_case.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s docs/packets.md\n", argv[0]);
    return 2;
  }
  try {
    flare::test::write_packet_table(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
