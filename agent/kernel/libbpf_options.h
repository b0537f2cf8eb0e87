// libbpf's option structs, which carry their size: in C++, as libbpf's own macro is C.
#pragma once

#include <cstring>

namespace flare {

/// Makes `options` all 0 but for its size. libbpf refuses options whose padding is not 0, so they
/// are filled where they are: a copy of a struct need not copy its padding.
template <typename Options>
void reset_libbpf_options(Options& options) {
  std::memset(&options, 0, sizeof(options));
  options.sz = sizeof(options);
}

}  // namespace flare
