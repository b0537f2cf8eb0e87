#include "kernel/privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace flare {
namespace {

bool may_use_perfmon() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return true;
  const std::uint64_t effective = data[0].effective | std::uint64_t{data[1].effective} << 32U;
  return (effective & (1ULL << CAP_PERFMON | 1ULL << CAP_SYS_ADMIN)) != 0;
}

}  // namespace

bool lacks_privilege(int failed) {
  return failed == -EPERM || (failed == -EACCES && !may_use_perfmon());
}

Error refused(std::string_view what, int errno_value, std::string_view needs) {
  Error error = Error::from_errno(what, errno_value);
  if (errno_value != EPERM && errno_value != EACCES) return error;
  std::string text = error.message() + " (needs " + std::string(needs);
  bool is_root = ::geteuid() == 0;
  bool says_root = needs.starts_with("root");
  if (is_root) text += "; this root lacks it: is this a restricted container or unit?";
  if (!is_root && !says_root) text += "; run as root";
  text += ")";
  return Error(std::move(text));
}

}  // namespace flare
