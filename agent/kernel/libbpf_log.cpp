#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace flare {
namespace {

// Verifier logs come in one message; what does not fit is cut.
constexpr std::size_t kMessageBytes = 4096;

LibbpfSink& current_sink() {
  static LibbpfSink sink;
  return sink;
}

LibbpfLevel demoted(libbpf_print_level level) {
  if (level == LIBBPF_WARN) return LibbpfLevel::kInfo;
  return level == LIBBPF_INFO ? LibbpfLevel::kDebug : LibbpfLevel::kTrace;
}

int pass_on(libbpf_print_level level, const char* format, va_list arguments) {
  if (!current_sink()) return 0;
  std::array<char, kMessageBytes> text;
  int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (length <= 0) return 0;
  std::string_view message(text.data());
  while (message.ends_with('\n')) message.remove_suffix(1);
  current_sink()(demoted(level), message);
  return 0;
}

}  // namespace

void set_libbpf_sink(LibbpfSink sink) {
  current_sink() = std::move(sink);
  libbpf_set_print(pass_on);
}

std::string libbpf_version() { return libbpf_version_string(); }

}  // namespace flare
