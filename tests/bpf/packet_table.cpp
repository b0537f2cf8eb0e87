// The table of docs/packets.md, from the rows that the tests run.
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "packet_case.h"

namespace flare::test {
namespace {

std::string verdict(const PacketCase& row) {
  return std::string(fate_word(reason_fate(reason_of(row.reason))));
}

std::string families(const PacketCase& row) {
  return !row.only ? "v4, v6" : *row.only == Family::kV4 ? "v4" : "v6";
}

constexpr const char* kBegin = "<!-- begin: written by flare_packet_table -->\n";
constexpr const char* kEnd = "<!-- end -->";

/// A file in three parts, the table being the second.
struct Document {
  std::string before, table, after;
};

Document read_document(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  const auto begin = text.find(kBegin), end = text.find(kEnd);
  if (!file || begin == std::string::npos || end == std::string::npos)
    throw std::runtime_error(path + " cannot be read, or has no marks for the table");
  const auto table = begin + std::string(kBegin).size();
  return {text.substr(0, table), text.substr(table, end - table), text.substr(end)};
}

}  // namespace

std::string read_packet_table(const std::string& path) { return read_document(path).table; }

void write_packet_table(const std::string& path) {
  const Document document = read_document(path);
  std::ofstream(path) << document.before << packet_table() << document.after;
}

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
