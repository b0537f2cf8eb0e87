#include "kernel/privilege.h"

#include <unistd.h>
#include <cerrno>

namespace flare {

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
