#include "kernel/program_info.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"

namespace flare {
namespace {

// The kernel keeps 15 letters of a name; ours are told apart by them.
constexpr std::array kOurNames{"flare_xdp", "flare_tc_ingress", "flare_tc_companion",
                               "flare_tc_egress"};
constexpr std::size_t kKeptLetters = 15;

/// The whole name of a program of ours, else the name as it is.
std::string whole_name(std::string kept) {
  for (std::string_view name : kOurNames) {
    if (kept == name.substr(0, kKeptLetters)) return std::string(name);
  }
  return kept;
}

}  // namespace

std::string ProgramInfo::text() const {
  std::string number = "program " + std::to_string(id);
  return name.empty() ? number : "'" + name + "' (" + number + ")";
}

ProgramInfo program_info_of_fd(int program_fd) {
  bpf_prog_info raw{};
  __u32 size = sizeof(raw);
  if (bpf_obj_get_info_by_fd(program_fd, &raw, &size) != 0) return {};
  ProgramInfo info;
  info.id = raw.id;
  info.name = whole_name(std::string(raw.name, ::strnlen(raw.name, sizeof(raw.name))));
  info.loaded_ns = raw.load_time;
  for (unsigned char byte : raw.tag) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", byte);
    info.tag += hex;
  }
  return info;
}

ProgramInfo program_info_of_id(std::uint32_t program_id) {
  ProgramInfo info;
  if (UniqueFd fd(bpf_prog_get_fd_by_id(program_id)); fd) info = program_info_of_fd(fd.get());
  info.id = program_id;
  return info;
}

}  // namespace flare
