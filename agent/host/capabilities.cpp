#include "host/capabilities.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <memory>

namespace flare {
namespace {

// libcap of Debian 12 knows CAP_BPF; its number is the kernel's.
constexpr std::array<cap_value_t, 2> kKept{CAP_BPF, CAP_NET_ADMIN};

bool is_kept(cap_value_t capability) { return capability == kKept[0] || capability == kKept[1]; }

}  // namespace

Result<void> drop_capabilities() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error::from_errno("cannot set no_new_privs", errno);
  }
  for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); ++capability) {
    // Without CAP_SETPCAP the bounding set stays, which no_new_privs makes harmless.
    if (!is_kept(capability) && ::cap_drop_bound(capability) != 0 && errno != EPERM) {
      return Error::from_errno("cannot drop a capability from the bounding set", errno);
    }
  }
  const std::unique_ptr<_cap_struct, int (*)(void*)> had(::cap_get_proc(), ::cap_free);
  const std::unique_ptr<_cap_struct, int (*)(void*)> kept(::cap_init(), ::cap_free);
  if (!had || !kept) return Error::from_errno("cannot read capabilities", errno);
  for (const cap_value_t capability : kKept) {
    cap_flag_value_t permitted = CAP_CLEAR;
    ::cap_get_flag(had.get(), capability, CAP_PERMITTED, &permitted);
    if (permitted != CAP_SET) continue;
    for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE}) {
      if (::cap_set_flag(kept.get(), flag, 1, &capability, CAP_SET) != 0) {
        return Error::from_errno("cannot choose capabilities", errno);
      }
    }
  }
  if (::cap_set_proc(kept.get()) != 0) return Error::from_errno("cannot drop capabilities", errno);
  return {};
}

}  // namespace flare
