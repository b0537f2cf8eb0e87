// libbpf's option structs, which carry their size: in C++, as libbpf's own macro is C.
#pragma once

#include <cstring>

namespace flare {

/// Options of type `Options`, all 0 (padding too, which libbpf checks) but for the size.
template <typename Options>
Options libbpf_options() {
  Options options;
  std::memset(&options, 0, sizeof(options));
  options.sz = sizeof(options);
  return options;
}

}  // namespace flare
