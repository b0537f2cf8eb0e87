#include "service/cgroups.h"

#include <algorithm>

namespace flare {
namespace {

constexpr std::uint64_t kLookEveryNs = 500'000'000;

}  // namespace

void Cgroups::load(const std::filesystem::path& pin_dir) {
  pin_dir_ = pin_dir;
  hooks_.emplace(ConnectHooks::load(pin_dir));
}

/// A failure that lasts is told once.
void Cgroups::attach(const std::filesystem::path& cgroup) {
  auto attached = (*hooks_)->attach(cgroup);
  if (attached) {
    failing_.erase(cgroup);
    log_.info("attached cgroup={} replaced={}", cgroup.string(), *attached);
    return;
  }
  std::string& told = failing_[cgroup];
  if (told == attached.error().message()) return;
  told = attached.error().message();
  log_.error("cannot attach cgroup={} reason=\"{}\"", cgroup.string(), told);
}

void Cgroups::detach_others(const std::vector<std::filesystem::path>& wanted) {
  auto states = attached_cgroups(pin_dir_);
  if (!states) {
    log_.error("cannot read what is attached reason=\"{}\"", states.error().message());
    return;
  }
  for (const CgroupState& state : *states) {
    if (std::find(wanted.begin(), wanted.end(), state.path) != wanted.end()) continue;
    auto detached = (*hooks_)->detach(state.path);
    if (!detached) {
      log_.error("cannot detach cgroup={} reason=\"{}\"", state.path.string(),
                 detached.error().message());
    } else {
      log_.info("detached cgroup={} why=\"the configuration no longer has it\"",
                state.path.string());
    }
  }
}

void Cgroups::apply(const std::vector<std::filesystem::path>& wanted) {
  wanted_.clear();
  failing_.clear();
  if (!hooks_ || !*hooks_) {
    if (wanted.empty()) return;
    log_.error("connect() is not directed reason=\"{}\"",
               hooks_ ? hooks_->error().message() : "it was not loaded");
    return;
  }
  wanted_ = wanted;
  for (const std::filesystem::path& cgroup : wanted_) {
    if (!(*hooks_)->is_at(cgroup)) attach(cgroup);
  }
  detach_others(wanted_);
}

void Cgroups::tend(std::uint64_t now_ns) {
  if (now_ns < not_before_ns_) return;
  not_before_ns_ = now_ns + kLookEveryNs;
  for (const std::filesystem::path& cgroup : wanted_) {
    if (!(*hooks_)->is_at(cgroup)) attach(cgroup);
  }
}

Result<std::size_t> Cgroups::keep_pinned() const {
  if (!hooks_ || !*hooks_) return std::size_t{0};
  return (*hooks_)->keep_pinned();
}

Result<std::vector<std::string>> Cgroups::detach() {
  std::vector<std::string> done;
  if (!hooks_ || !*hooks_) return done;
  wanted_.clear();
  auto states = attached_cgroups(pin_dir_);
  if (!states) return states.error();
  for (const CgroupState& state : *states) {
    auto detached = (*hooks_)->detach(state.path);
    if (!detached) return detached.error();
    done.push_back(state.path.string());
    log_.warn("detached by hand cgroup={}", state.path.string());
  }
  return done;
}

}  // namespace flare
