#include "host/descriptors.h"

#include <sys/resource.h>

namespace flare {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Where it does not take effect, loading says what is missing.
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace flare
