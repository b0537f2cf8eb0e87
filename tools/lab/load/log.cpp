#include "load/log.h"

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>

namespace flare::lab {
namespace {

constexpr std::string_view kHead =
    "number,intended_us,sent_us,connected_us,first_byte_us,done_us,status,tier,outcome,"
    "connection,work_us";
constexpr std::size_t kCells = 11;

std::string cell(std::uint32_t value) { return value == kNever ? "" : std::to_string(value); }

using Cells = std::array<std::string_view, kCells>;

/// Cuts `text` at the first `mark`; what follows it stays in `text`.
std::string_view cut(std::string_view& text, char mark) {
  const std::size_t end = text.find(mark);
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

/// Reads cells one after the other and remembers whether one was wrong.
class CellReader {
 public:
  template <typename T>
  T number(std::string_view text) {
    T value = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end) ok_ = false;
    return value;
  }
  std::uint32_t or_never(std::string_view text) {
    return text.empty() ? kNever : number<std::uint32_t>(text);
  }
  /// The enumerator below `count` whose word is `text`.
  template <typename T>
  T enumerator(std::string_view text, int count) {
    for (int i = 0; i < count; ++i) {
      if (to_word(static_cast<T>(i)) == text) return static_cast<T>(i);
    }
    ok_ = false;
    return T{};
  }
  bool ok() const { return ok_; }

 private:
  bool ok_ = true;
};

std::optional<RequestRecord> record_of(const Cells& cells) {
  CellReader in;
  RequestRecord record;
  record.number = in.number<std::uint32_t>(cells[0]);
  record.intended_ns = in.number<std::int64_t>(cells[1]) * 1000;
  record.sent_us = in.or_never(cells[2]);
  record.connected_us = in.or_never(cells[3]);
  record.first_byte_us = in.or_never(cells[4]);
  record.done_us = in.or_never(cells[5]);
  record.status = in.number<std::uint16_t>(cells[6]);
  record.tier = in.enumerator<Tier>(cells[7], 3);
  record.outcome = in.enumerator<Outcome>(cells[8], static_cast<int>(Outcome::kNetwork) + 1);
  record.connection = in.or_never(cells[9]);
  record.work_us = in.number<std::uint32_t>(cells[10]);
  return in.ok() ? std::optional(record) : std::nullopt;
}

std::optional<RequestRecord> record_of(std::string_view line) {
  Cells cells;
  for (std::string_view& cell : cells) cell = cut(line, ',');
  return line.empty() ? record_of(cells) : std::nullopt;
}

}  // namespace

Result<void> write_log(const std::filesystem::path& path, std::span<const RequestRecord> records) {
  std::ofstream file(path);
  file << kHead << '\n';
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

Result<std::vector<RequestRecord>> parse_log(std::string_view text) {
  if (cut(text, '\n') != kHead) return Error("line 1: not the head of a log of flare-load");
  std::vector<RequestRecord> records;
  while (!text.empty()) {
    const auto record = record_of(cut(text, '\n'));
    if (!record) {
      return Error("line " + std::to_string(records.size() + 2) + ": not a request of " +
                   std::to_string(kCells) + " cells");
    }
    records.push_back(*record);
  }
  return records;
}

}  // namespace flare::lab
