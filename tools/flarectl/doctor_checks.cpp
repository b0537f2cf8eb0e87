// Checks of the machine and of the pinned datapath.
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "flarectl/doctor.h"
#include "flarectl/units.h"
#include "kernel/datapath.h"
#include "kernel/hook_query.h"
#include "kernel/pin_dir.h"

namespace flare::ctl {
namespace {

// Above this part of a table taken, an operator should know.
constexpr double kCrowded = 0.8;

void check_kernel(Checks& checks) {
  utsname host{};
  ::uname(&host);
  int major = 0;
  int minor = 0;
  std::sscanf(host.release, "%d.%d", &major, &minor);
  std::string release = std::string("Linux ") + host.release;
  auto at_least = [&](int want_major, int want_minor) {
    return major > want_major || (major == want_major && minor >= want_minor);
  };
  if (!at_least(6, 1)) {
    checks.push_back({"kernel", "", Health::kFail, release + " is older than 6.1",
                      "use a kernel from 6.1 on; 6.6 has tcx as well"});
  } else if (!at_least(6, 6)) {
    checks.push_back({"kernel", "", Health::kNote,
                      release + " has no tcx links (6.6); clsact filters do the work", ""});
  } else {
    checks.push_back({"kernel", "", Health::kOk, release + " has native XDP and tcx links", ""});
  }
  bool has_btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  checks.push_back({"btf", "", has_btf ? Health::kOk : Health::kNote,
                    has_btf ? "the kernel describes its types (BTF)"
                            : "the kernel has no BTF; Flare's programs do not need it today",
                    ""});
}

void check_bpffs(const Context& context, Checks& checks) {
  if (is_on_bpffs(context.pin_dir)) {
    checks.push_back(
        {"bpffs", "", Health::kOk, context.pin_dir.string() + " is on a BPF file system", ""});
    return;
  }
  checks.push_back({"bpffs", "", Health::kFail,
                    context.pin_dir.string() + " is not on a BPF file system",
                    "mount -t bpf bpf /sys/fs/bpf"});
}

/// The effective capabilities of this process, from /proc/self/status.
std::uint64_t effective_capabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long long set = 0;
    if (std::sscanf(line.c_str(), "CapEff: %llx", &set) == 1) return set;
  }
  return 0;
}

void check_capabilities(Checks& checks) {
  struct Needed {
    unsigned bit;
    const char* name;
    const char* why;
  };
  static constexpr std::array kNeeded{
      Needed{12, "CAP_NET_ADMIN", "to attach"}, Needed{39, "CAP_BPF", "to load programs and maps"},
      Needed{38, "CAP_PERFMON", "to load programs"},
      Needed{21, "CAP_SYS_ADMIN", "for flarectl alone: names of programs, selection tables"}};
  std::uint64_t have = effective_capabilities();
  std::string missing;
  for (const Needed& needed : kNeeded) {
    if (have >> needed.bit & 1) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(needed.name) + " (" + needed.why + ")";
  }
  if (missing.empty()) {
    checks.push_back({"capabilities", "", Health::kOk, "this user may load and attach", ""});
  } else {
    checks.push_back({"capabilities", "", Health::kNote, "this user lacks " + missing,
                      "run doctor as root to see everything"});
  }
}

void check_socket_rewriters(Checks& checks) {
  auto users = socket_rewriters();
  if (!users) {
    checks.push_back({"socket-lb", "", Health::kNote, users.error().message(), ""});
    return;
  }
  std::string found;
  for (const CgroupUser& user : *users) {
    found += (found.empty() ? "" : "; ") + user.hook + ": " + user.programs.front().text();
  }
  if (found.empty()) {
    checks.push_back({"socket-lb", "", Health::kOk,
                      "no program rewrites addresses at the sockets of this host", ""});
    return;
  }
  checks.push_back(
      {"socket-lb", "", Health::kWarn,
       "programs at the root cgroup may rewrite addresses before there is a packet (" + found + ")",
       "what local processes send to a frontend may never reach Flare; what other "
       "hosts send does"});
}

void check_agent(const Maps& maps, Checks& checks) {
  Heartbeat heartbeat = read_heartbeat(maps, now_ns());
  if (!heartbeat.ever) {
    checks.push_back({"heartbeat", "", Health::kFail, "flared has never tended the shares",
                      "systemctl status flared"});
  } else if (heartbeat.fresh) {
    checks.push_back(
        {"heartbeat", "", Health::kOk, "flared beat " + human_time(heartbeat.age_ns) + " ago", ""});
  } else {
    checks.push_back({"heartbeat", "", Health::kFail,
                      "flared's last beat is " + human_time(heartbeat.age_ns) +
                          " old: services use their fallback",
                      "systemctl restart flared; flows go on meanwhile"});
  }
}

void check_hooks(const Context& context, const Maps& maps, Checks& checks) {
  auto hooks = attached_hooks(context.pin_dir, maps);
  if (!hooks) {
    checks.push_back({"hooks", "", Health::kNote,
                      "what is attached cannot be read: " + hooks.error().message(),
                      "run doctor as root"});
    return;
  }
  std::size_t well = 0;
  for (const HookState& hook : *hooks) {
    if (hook.program_id != 0 && hook.ours) {
      ++well;
      continue;
    }
    std::string what = hook.program_id == 0 ? "nothing runs" : "a foreign program runs";
    checks.push_back({"hooks", hook.interface, Health::kFail, what + " at " + hook.hook,
                      "flared attaches again at its next reload (flarectl reload)"});
  }
  if (hooks->empty()) {
    checks.push_back({"hooks", "", Health::kFail, "nothing is attached", "flarectl reload"});
  } else if (well == hooks->size()) {
    checks.push_back({"hooks", "", Health::kOk,
                      "Flare's programs run at all " + std::to_string(well) + " hooks", ""});
  }
}

void check_pressure(const Maps& maps, Checks& checks) {
  struct Sized {
    const char* name;
    const char* limit;
    const TypedMap<flare_flow_key, flare_flow>& map;
  };
  for (const Sized& sized : {Sized{"flows", "limits.flows", maps.flows},
                             Sized{"embryos", "limits.embryos", maps.embryos}}) {
    auto count = sized.map.count();
    if (!count) {
      checks.push_back({"map-pressure", "", Health::kNote, count.error().message(), ""});
      continue;
    }
    double taken = static_cast<double>(*count) / static_cast<double>(sized.map.max_entries());
    std::string finding = std::string("map ") + sized.name + " is " + human_share(taken) +
                          " full (" + human_count(*count) + " of " +
                          human_count(sized.map.max_entries()) + " entries)";
    bool crowded = taken >= kCrowded;
    checks.push_back({"map-pressure", "", crowded ? Health::kWarn : Health::kOk, finding,
                      crowded ? std::string("raise ") + sized.limit +
                                    " (after flarectl detach), or shorten the timeouts"
                              : ""});
  }
}

}  // namespace

std::string to_text(Health health) {
  static constexpr std::array kWords{"ok", "note", "warn", "fail"};
  return kWords[static_cast<std::size_t>(health)];
}

void check_host(const Context& context, Checks& checks) {
  check_kernel(checks);
  check_bpffs(context, checks);
  check_capabilities(checks);
  check_socket_rewriters(checks);
}

void check_datapath(const Context& context, const Maps& maps, Checks& checks) {
  check_agent(maps, checks);
  check_hooks(context, maps, checks);
  check_pressure(maps, checks);
}

}  // namespace flare::ctl
