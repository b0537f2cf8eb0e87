// Prints the table of bad configurations with the message that each gets.
#include <cstdio>

#include "bad_configs.h"

int main() {
  std::fputs(flare::test::bad_configs_table().c_str(), stdout);
  return 0;
}
