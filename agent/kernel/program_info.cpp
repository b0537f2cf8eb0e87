#include "kernel/program_info.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"

namespace flare {

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
  info.name = std::string(raw.name, ::strnlen(raw.name, sizeof(raw.name)));
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
