// Has this kernel verify every shipped program, each by itself and with every setting, and prints a
// line for each, which scripts/vmtest.sh judges:
//
//   PROGRAM name instructions           the most that the verifier processed with any setting
//   REFUSED name setting errno words    what the verifier, or libbpf, said last
//
// With a program's name: that one, with the smallest setting, and the end of the verifier's whole
// log.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flare/abi.h"
#include "flare_home.skel.h"
#include "flare_reset.skel.h"
#include "flare_sock.skel.h"
#include "flare_tc.skel.h"
#include "flare_xdp.skel.h"

namespace {

/// Of the verifier's log: its statistics and what it complains of, not the way there.
constexpr int kLogStatistics = 4;
/// Of the whole way.
constexpr int kLogWay = 1;
constexpr std::size_t kLogBytes = 1 << 26;
constexpr std::size_t kShownBytes = 12000;
/// Big enough for a map of any size in `maps.bpf.h` to be made, small enough for any guest.
constexpr std::uint32_t kMapEntries = 64;

struct Setting {
  const char* name;
  std::uint32_t services, backends;
};

constexpr std::array kSettings = {
    Setting{"smallest", 1, 1},
    Setting{"services", FLARE_SERVICES_MAX, 1},
    Setting{"backends", 1, FLARE_BACKENDS_MAX},
    Setting{"largest", FLARE_SERVICES_MAX, FLARE_BACKENDS_MAX},
};

/// What became of a program with one setting.
struct Verdict {
  int error = 0;
  std::uint32_t instructions = 0;
  std::string words;  ///< of a refusal
  std::string log;
};

std::string libbpf_said;

int remember(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 4096> text;
  std::vsnprintf(text.data(), text.size(), format, arguments);
  libbpf_said += text.data();
  return 0;
}

/// The last lines of a text in one, without libbpf's frame and what every refusal has.
std::string last_words(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("libbpf: ")) line.erase(0, 8);
    const auto begins = [&line](const char* with) { return line.starts_with(with); };
    if (line.empty() || begins("processed ") || begins("-- ") || begins("verification time ") ||
        begins("stack depth ") || begins("subprog ") || begins("reg type unsupported for arg"))
      continue;
    if (line.find("failed to load") != std::string::npos) continue;
    lines.push_back(line);
  }
  std::string words;
  const std::size_t first = lines.size() > 3 ? lines.size() - 3 : 0;
  for (std::size_t i = first; i < lines.size(); ++i) words += (i > first ? "; " : "") + lines[i];
  return words.substr(0, 300);
}

/// "processed N insns ...": the log's last line. Linux before 5.16 tells it nowhere else.
std::uint32_t processed(const std::string& log) {
  const auto at = log.rfind("processed ");
  return at == std::string::npos
             ? 0
             : static_cast<std::uint32_t>(std::strtoul(log.c_str() + at + 10, nullptr, 10));
}

template <typename Skeleton>
struct Destroy {
  void operator()(Skeleton* skeleton) const { Skeleton::destroy(skeleton); }
};

/// Maps of this load alone: no pins, and no more memory than verifying needs.
bool make_maps_small(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__set_pin_path(map, nullptr) != 0) return false;
    const bool is_sized = bpf_map__max_entries(map) > kMapEntries;
    if (is_sized && !bpf_map__is_internal(map) && bpf_map__set_max_entries(map, kMapEntries) != 0)
      return false;
  }
  return true;
}

/// Loads the program of that name and no other one of its object.
template <typename Skeleton>
Verdict verify(const std::string& name, const Setting& setting, int log_level) {
  libbpf_said.clear();
  std::unique_ptr<Skeleton, Destroy<Skeleton>> skeleton(Skeleton::open());
  if (!skeleton || !make_maps_small(skeleton->obj))
    return {EINVAL, 0, "cannot open the object", {}};
  skeleton->rodata->services_max = setting.services;
  skeleton->rodata->backends_max = setting.backends;
  const std::unique_ptr<char[]> log(new char[kLogBytes]);  // not touched before it is written
  log[0] = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const bool is_wanted = name == bpf_program__name(program);
    bpf_program__set_autoload(program, is_wanted);
    if (!is_wanted) continue;
    bpf_program__set_log_level(program, static_cast<__u32>(log_level));
    bpf_program__set_log_buf(program, log.get(), kLogBytes);
  }
  const int failed = Skeleton::load(skeleton.get());
  const std::string said(log.get());
  if (failed == 0) return {0, processed(said), {}, said};
  const std::string words = last_words(said);
  return {-failed, 0, words.empty() ? last_words(libbpf_said) : words, said};
}

template <typename Skeleton>
std::vector<std::string> program_names() {
  std::vector<std::string> names;
  std::unique_ptr<Skeleton, Destroy<Skeleton>> skeleton(Skeleton::open());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) names.push_back(bpf_program__name(program));
  return names;
}

template <typename Skeleton>
void verify_all(std::string_view wanted) {
  for (const std::string& name : program_names<Skeleton>()) {
    if (!wanted.empty() && name != wanted) continue;
    if (!wanted.empty()) {
      const std::string log = verify<Skeleton>(name, kSettings[0], kLogWay).log;
      std::puts(log.substr(log.size() - std::min(log.size(), kShownBytes)).c_str());
    }
    std::uint32_t most = 0;
    bool is_refused = false;
    for (const Setting& setting : kSettings) {
      const Verdict verdict = verify<Skeleton>(name, setting, kLogStatistics);
      most = std::max(most, verdict.instructions);
      is_refused = verdict.error != 0;
      if (!is_refused) continue;
      std::printf("REFUSED %s %s %d %s\n", name.c_str(), setting.name, verdict.error,
                  verdict.words.c_str());
      break;
    }
    if (!is_refused) std::printf("PROGRAM %s %u\n", name.c_str(), most);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string_view wanted = count > 1 ? words[1] : "";
  libbpf_set_print(remember);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  verify_all<flare_xdp>(wanted);
  verify_all<flare_tc>(wanted);
  verify_all<flare_home>(wanted);
  verify_all<flare_reset>(wanted);
  verify_all<flare_sock>(wanted);
}
