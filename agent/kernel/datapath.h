// The BPF programs: loading, attaching, replacing and removing them. What is attached outlives the
// process; nothing here ever detaches in order to attach.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "flare/abi.h"
#include "kernel/libbpf_log.h"
#include "kernel/links.h"
#include "kernel/maps.h"
#include "model/config.h"

namespace flare {

struct LoadOptions {
  std::filesystem::path pin_dir = "/sys/fs/bpf/flare";
  LimitConfig limits;
  /// May be empty: libbpf's messages are then dropped. Called from load() and attach() only; one
  /// sink a process (libbpf has one hook), the latest wins.
  LibbpfSink libbpf_sink;
};

/// One hook of one interface, as the kernel tells it.
struct HookState {
  std::uint32_t ifindex = 0;
  std::string interface;  ///< empty: the device is gone
  HookPoint point = HookPoint::kXdp;
  std::string hook;              ///< its word: "xdp", "tc-ingress", "tc-egress"
  std::string via;               ///< "link" (pinned), "clsact"
  std::uint32_t program_id = 0;  ///< 0: not attached any more
  std::string program_name;      ///< empty where the kernel does not tell us
  std::string program_tag;       ///< 16 hex digits
  std::uint64_t loaded_ns = 0;   ///< CLOCK_BOOTTIME, as bpf_prog_info.load_time
  bool ours = false;             ///< the program is one of Flare's
};

/// What attach() did.
struct Attachment {
  std::uint32_t ifindex = 0;
  std::string interface;
  flare_attach_mode mode = FLARE_ATTACH_TC;  ///< FLARE_ATTACH_XDP or FLARE_ATTACH_TC
  bool tcx = false;                          ///< false: clsact filters
  bool replaced = false;  ///< programs of an earlier agent were replaced in place
  std::string why;        ///< the reason for the mode, a sentence
};

/// The loaded programs and their maps. Destroying it leaves links and maps in the kernel.
class Datapath {
 public:
  /// Opens both objects, adopts the pinned maps (or makes and pins them) and has the kernel verify
  /// the programs; attaches nothing. Refuses limits that differ from the pinned maps' sizes. Needs
  /// root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Leaves no pins behind when it fails on
  /// an empty directory.
  static Result<Datapath> load(const LoadOptions& options);

  Datapath(Datapath&&) noexcept;
  Datapath& operator=(Datapath&&) noexcept;
  ~Datapath();

  const Maps& maps() const;
  /// True where maps of an earlier agent were found and adopted.
  bool adopted() const;

  /// Tries the loaded programs on made packets (dry_run.h), before they replace what is attached.
  Result<void> dry_run() const;

  /// Attaches to `interface`, or replaces in place what an earlier agent attached there. The caller
  /// has filled the maps: packets arrive from here on. Also writes the `interfaces` entry. On
  /// failure the hooks that were attached before stay as they were. Needs CAP_NET_ADMIN and
  /// CAP_BPF.
  Result<Attachment> attach(const InterfaceConfig& interface);

  /// Removes our links, filters and the `interfaces` entry of one interface, by name or, where the
  /// device is gone, by its recorded name. False where nothing was attached.
  Result<bool> detach(const std::string& interface);

  /// Removes pinned links and `interfaces` entries of devices that are gone; returns their names.
  Result<std::vector<std::string>> forget_gone();

  /// Pins again, from the descriptors that are held, what is pinned no more: somebody unmounted the
  /// BPF file system, and it (or another) is mounted by now. Returns how many pins were made. Fails
  /// where they cannot be: packets go on, but a restart would lose their flows.
  Result<std::size_t> keep_pinned();

  /// The hooks of all our interfaces, as the kernel tells them now.
  Result<std::vector<HookState>> hooks() const;

  /// A loaded program, for a self-test by BPF_PROG_TEST_RUN.
  int program_fd(flare_hook hook) const;
  /// Its kernel id: what an attached hook must show.
  std::uint32_t program_id(flare_hook hook) const;

  struct State;  ///< what stays out of this header: the generated skeletons

 private:
  explicit Datapath(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What detach_all() removed.
struct DetachReport {
  std::uint32_t links = 0;
  std::uint32_t filters = 0;
  std::uint32_t maps = 0;
};

/// Removes all that is ours under `pin_dir` (links, clsact filters, maps, directories), without
/// loading anything. A running agent must be stopped first: it would attach again.
Result<DetachReport> detach_all(const std::filesystem::path& pin_dir);
/// Removes one interface's links, filters and entry, without loading. False: nothing was there.
Result<bool> detach_interface(const std::filesystem::path& pin_dir, const std::string& interface);
/// The hooks under `pin_dir`, as hooks(). Needs root for links (pins are 0600).
Result<std::vector<HookState>> attached_hooks(const std::filesystem::path& pin_dir,
                                              const Maps& maps);

}  // namespace flare
