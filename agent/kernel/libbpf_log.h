// libbpf's messages, demoted one level: what fails is said by the error that we return.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace flare {

/// A libbpf warning is `kInfo`, its information `kDebug`, its debug output `kTrace`.
enum class LibbpfLevel : std::uint8_t { kInfo, kDebug, kTrace };
using LibbpfSink = std::function<void(LibbpfLevel, std::string_view)>;

/// Sends libbpf's messages to `sink` until the next call; an empty sink drops them. libbpf has one
/// hook a process and no argument for it, so this is the process's one place that keeps a sink.
void set_libbpf_sink(LibbpfSink sink);

/// The version of the library that runs, as `v1.1`.
std::string libbpf_version();

}  // namespace flare
