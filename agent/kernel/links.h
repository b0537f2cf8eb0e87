// bpf_links of our programs: made, replaced in place, pinned, found again and removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace flare {

/// The three hooks of a device that a link can hold.
enum class HookPoint : std::uint8_t { kXdp, kTcIngress, kTcEgress };

std::string_view to_text(HookPoint hook);

/// What a link holds now. A link whose device was deleted is dead: its ifindex is 0.
struct LinkFacts {
  std::uint32_t ifindex = 0;
  std::uint32_t program_id = 0;
};

/// The pins of one pin directory's links: `<links_dir>/<ifindex>-<hook>`.
class LinkPins {
 public:
  explicit LinkPins(std::filesystem::path dir) : dir_(std::move(dir)) {}

  struct Name {
    std::uint32_t ifindex = 0;
    HookPoint hook = HookPoint::kXdp;
  };
  /// All pins there, by name; foreign files are left out.
  std::vector<Name> list() const;

  /// The pinned link, or nothing where there is no pin.
  Result<std::optional<UniqueFd>> open(const Name& name) const;

  struct Placed {
    UniqueFd fd;
    bool replaced = false;  ///< an existing link got the program, atomically
    int refused = 0;        ///< errno of the kernel's refusal to make a new link; then fd is empty
  };
  /// Has `program_fd` run at the hook: by replacing the program of the pinned link, or, where there
  /// is none or it is dead, by a new link that is then pinned.
  Result<Placed> place(const Name& name, int program_fd) const;

  bool has(const Name& name) const;
  /// Pins a link that is held where it is pinned no more. False where it is.
  Result<bool> keep(const Name& name, int link_fd) const;

  /// Detaches and unpins. False where there was no pin.
  Result<bool> remove(const Name& name) const;

 private:
  std::filesystem::path path_of(const Name& name) const;

  std::filesystem::path dir_;
};

Result<LinkFacts> link_facts(int link_fd);

}  // namespace flare
