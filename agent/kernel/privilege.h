// What a refused system call means to the person who runs us.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flare {

/// `what: strerror`, and for EPERM and EACCES the capability that `needs` names and how to get it.
Error refused(std::string_view what, int errno_value, std::string_view needs);

/// Whether loading a program failed (`failed` as libbpf returns it) for want of a capability.
/// Without CAP_PERFMON the verifier holds a program to the rules for everybody, and its refusal is
/// EACCES.
bool lacks_privilege(int failed);

}  // namespace flare
