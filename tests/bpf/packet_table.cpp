// The table of docs/packets.md, from the rows that the tests run.
#include <array>
#include <string_view>

#include "packet_case.h"

namespace flare::test {
namespace {

std::string verdict(const PacketCase& row) {
  return std::string(fate_word(reason_fate(reason_of(row.reason))));
}

std::string families(const PacketCase& row) {
  return !row.only ? "v4, v6" : *row.only == Family::kV4 ? "v4" : "v6";
}

}  // namespace

std::string packet_table() {
  std::string table = "| fixture | packet | family | verdict | reason |\n|---|---|---|---|---|\n";
  for (const PacketCase& row : all_packet_cases()) {
    table += "| " + row.fixture + " | " + row.what + " | " + families(row) + " | ";
    if (row.tc_reason.empty()) {
      table += verdict(row) + " | `" + row.reason + "` |\n";
    } else {
      PacketCase tc = row;
      tc.reason = row.tc_reason;
      table += "XDP: " + verdict(row) + ", tc: " + verdict(tc) + " | XDP: `" + row.reason +
               "`, tc: `" + row.tc_reason + "` |\n";
    }
  }
  return table;
}

}  // namespace flare::test
