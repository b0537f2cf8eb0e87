#include "load/log.h"

#include <fstream>
#include <string>

namespace flare::lab {
namespace {

std::string cell(std::uint32_t value) { return value == kNever ? "" : std::to_string(value); }

}  // namespace

Result<void> write_log(const std::filesystem::path& path, std::span<const RequestRecord> records) {
  std::ofstream file(path);
  file << "number,intended_us,sent_us,connected_us,first_byte_us,done_us,status,tier,outcome,"
          "connection,work_us\n";
  for (const RequestRecord& record : records) {
    file << record.number << ',' << record.intended_ns / 1000 << ',' << cell(record.sent_us) << ','
         << cell(record.connected_us) << ',' << cell(record.first_byte_us) << ','
         << cell(record.done_us) << ',' << record.status << ',' << to_word(record.tier) << ','
         << to_word(record.outcome) << ',' << cell(record.connection) << ',' << record.work_us
         << '\n';
  }
  file.close();
  if (!file) return Error("cannot write " + path.string());
  return {};
}

}  // namespace flare::lab
