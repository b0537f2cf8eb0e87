#include "kernel/links.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "kernel/libbpf_options.h"
#include "kernel/pin_dir.h"
#include "kernel/privilege.h"

namespace flare {
namespace {

namespace fs = std::filesystem;

// The attach types of tcx (kernel 6.6) are not in the headers of older distributions.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

constexpr std::array kHookPoints{HookPoint::kXdp, HookPoint::kTcIngress, HookPoint::kTcEgress};

constexpr std::string_view kNeeds = "CAP_NET_ADMIN and CAP_BPF";

std::string described(const LinkPins::Name& name) {
  return "the " + std::string(to_text(name.hook)) + " hook of interface " +
         std::to_string(name.ifindex);
}

/// A new link, or -1 and errno. Generic XDP is never asked for: it would hide a slow path.
int create(const LinkPins::Name& name, int program_fd) {
  struct bpf_link_create_opts opts;
  reset_libbpf_options(opts);
  bpf_attach_type type = name.hook == HookPoint::kTcIngress ? kTcxIngress : kTcxEgress;
  if (name.hook == HookPoint::kXdp) {
    type = BPF_XDP;
    opts.flags = XDP_FLAGS_DRV_MODE;
  }
  return bpf_link_create(program_fd, static_cast<int>(name.ifindex), type, &opts);
}

std::optional<LinkPins::Name> parse_name(const std::string& text) {
  std::uint32_t ifindex = 0;
  const char* end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, ifindex);
  if (failed != std::errc() || rest == end || *rest != '-') return std::nullopt;
  std::string_view word(rest + 1, static_cast<std::size_t>(end - rest - 1));
  for (HookPoint hook : kHookPoints) {
    if (word == to_text(hook)) return LinkPins::Name{ifindex, hook};
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_text(HookPoint hook) {
  switch (hook) {
    case HookPoint::kXdp:
      return "xdp";
    case HookPoint::kTcIngress:
      return "tc-ingress";
    case HookPoint::kTcEgress:
      return "tc-egress";
  }
  return "?";
}

Result<LinkFacts> link_facts(int link_fd) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link_fd, &info, &size) != 0) {
    return Error::from_errno("cannot ask a link what it holds", errno);
  }
  // The kernel's record of a tcx link begins with the ifindex as well.
  return LinkFacts{info.xdp.ifindex, info.prog_id};
}

std::filesystem::path LinkPins::path_of(const Name& name) const {
  return dir_ / (std::to_string(name.ifindex) + "-" + std::string(to_text(name.hook)));
}

std::vector<LinkPins::Name> LinkPins::list() const {
  std::vector<Name> names;
  for (const std::string& text : pinned_names(dir_)) {
    if (auto name = parse_name(text)) names.push_back(*name);
  }
  return names;
}

Result<std::optional<UniqueFd>> LinkPins::open(const Name& name) const {
  if (!has(name)) take_from_other_layout(dir_.parent_path(), path_of(name));
  UniqueFd fd(bpf_obj_get(path_of(name).c_str()));
  if (fd) return std::optional<UniqueFd>(std::move(fd));
  if (errno == ENOENT) return std::optional<UniqueFd>();
  return refused("cannot open the pinned link " + path_of(name).string(), errno, "root");
}

Result<LinkPins::Placed> LinkPins::place(const Name& name, int program_fd) const {
  auto pinned = open(name);
  if (!pinned) return pinned.error();
  if (*pinned) {
    auto facts = link_facts((*pinned)->get());
    if (!facts) return facts.error();
    if (facts->ifindex == name.ifindex) {
      if (bpf_link_update((*pinned)->get(), program_fd, nullptr) == 0) {
        return Placed{std::move(**pinned), true, 0};
      }
      if (errno != ENOLINK) {
        return refused("cannot replace the program at " + described(name), errno, kNeeds);
      }
    }
    // The device that this link was for is gone, so there is nothing to detach.
    if (::unlink(path_of(name).c_str()) != 0) {
      return refused("cannot remove the dead link at " + described(name), errno, "root");
    }
  }
  UniqueFd fd(create(name, program_fd));
  if (!fd) return Placed{UniqueFd(), false, errno};
  if (bpf_obj_pin(fd.get(), path_of(name).c_str()) != 0) {
    return refused("cannot pin the link at " + described(name), errno, "root");
  }
  return Placed{std::move(fd), false, 0};
}

bool LinkPins::has(const Name& name) const { return ::access(path_of(name).c_str(), F_OK) == 0; }

Result<bool> LinkPins::keep(const Name& name, int link_fd) const {
  if (has(name)) return false;
  if (bpf_obj_pin(link_fd, path_of(name).c_str()) == 0) return true;
  return refused("cannot pin the link at " + described(name), errno, "root");
}

Result<bool> LinkPins::remove(const Name& name) const {
  auto pinned = open(name);
  if (!pinned) return pinned.error();
  if (!*pinned) return false;
  // Another process may hold the link as well, so closing it would not be enough.
  if (bpf_link_detach((*pinned)->get()) != 0) {
    int cause = errno;
    auto facts = link_facts((*pinned)->get());
    bool still_attached = !facts || facts->ifindex != 0;
    if (still_attached) return refused("cannot detach from " + described(name), cause, kNeeds);
  }
  if (::unlink(path_of(name).c_str()) != 0) {
    return refused("cannot unpin the link at " + described(name), errno, "root");
  }
  return true;
}

}  // namespace flare
