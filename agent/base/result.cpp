#include "base/result.h"

#include <cstring>

namespace flare {

Error Error::from_errno(std::string_view what, int errno_value) {
  return Error(std::string(what) + ": " + std::strerror(errno_value));
}

}  // namespace flare
