#include "kernel/home_reset.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "flare_home.skel.h"
#include "home.bpf.h"
#include "kernel/device.h"
#include "kernel/libbpf_options.h"
#include "kernel/privilege.h"
#include "kernel/reset_frame.h"
#include "kernel/shared_maps.h"
#include "select.bpf.h"

namespace flare {
namespace {

using std::chrono::steady_clock;

/// One run() may take so long, and looks at the clock after so many flows.
constexpr std::chrono::milliseconds kRunFor{5};
constexpr std::uint32_t kFlowsAtOnce = 256;
/// Runs for which the datapath may take to see a backend's RST: it waits for a softirq at most.
constexpr int kTellTries = 10;

struct Destroy {
  void operator()(flare_home* skeleton) const { flare_home::destroy(skeleton); }
};

/// A spilled connection as the maps have it, and the device that its packets come in on.
struct Spilled {
  flare_flow_key forward{};  ///< client, frontend
  flare_flow_key reverse{};  ///< backend, own address
  std::uint32_t client_end = 0;
  std::uint32_t server_end = 0;
  std::uint32_t ifindex = 0;
  int tries = kTellTries;
};

/// The connection's slot in `turns`, if it has one.
std::optional<flare_turn> find_turn(const Maps& maps, const flare_settings& settings,
                                    const flare_flow_key& client) {
  const __u64 hash = flow_hash(&client, settings.hash_key);
  const __u64 tag = hash != 0 ? hash : 1;
  const flare_turn_set ways =
      maps.turns.read(static_cast<std::uint32_t>(tag >> 32) & (FLARE_TURN_SETS - 1));
  const auto* found = std::find_if(std::begin(ways.way), std::end(ways.way),
                                   [tag](const flare_turn& turn) { return turn.tag == tag; });
  if (found == std::end(ways.way)) return std::nullopt;
  return *found;
}

}  // namespace

struct HomeReset::State {
  std::unique_ptr<flare_home, Destroy> skeleton;
  IdleBounds kernel_bounds;
  const Maps& maps;
  std::map<std::uint32_t, std::uint64_t> bounds{};  ///< by service id, as `kernel_bounds`
  MapCursor cursor{};
  std::vector<Spilled> to_tell{};           ///< whose backend was sent a RST, and client not yet
  std::set<std::uint32_t> spent{};          ///< services of which no more may move in this run
  std::vector<std::uint32_t> interfaces{};  ///< that the datapath is attached to

  Result<home_verdict> send(const Spilled& one, const flare_flow_key& from, std::uint32_t seq,
                            std::uint32_t ack) const;
  Result<bool> tell(Spilled& one, ResetReport& report);
  Result<void> tell_rest(ResetReport& report);
  Result<void> find_interfaces();
  std::uint32_t interface_of(const flare_flow_key& client) const;
  bool may_be_idle(const TypedMap<flare_flow_key, flare_flow>::Entry& entry,
                   std::uint64_t now_ns) const;
  Result<void> look_at(const TypedMap<flare_flow_key, flare_flow>::Entry& entry,
                       const flare_settings& settings, std::uint64_t now_ns, ResetReport& report);
};

/// Has the program look at a frame.
Result<home_verdict> HomeReset::State::send(const Spilled& one, const flare_flow_key& from,
                                            std::uint32_t seq, std::uint32_t ack) const {
  const std::vector<std::uint8_t> frame = reset_frame(from, seq, ack);
  __sk_buff context{};
  context.ifindex = one.ifindex;
  bpf_test_run_opts options;
  reset_libbpf_options(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  options.repeat = 1;
  const int failed = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.flare_home), &options);
  if (failed == -ENODEV) return HOME_LEFT;  // the interface has just gone
  if (failed != 0) return refused("cannot run flare_home", -failed, "CAP_BPF");
  return static_cast<home_verdict>(options.retval);
}

/// Tells the client of a connection whose backend was told. False: not yet.
Result<bool> HomeReset::State::tell(Spilled& one, ResetReport& report) {
  auto verdict = send(one, one.reverse, one.server_end, one.client_end);
  if (!verdict) return verdict.error();
  if (*verdict == HOME_SENT) ++report.reset;
  return *verdict != HOME_NOT_YET || --one.tries == 0;
}

Result<void> HomeReset::State::tell_rest(ResetReport& report) {
  std::vector<Spilled> rest = std::exchange(to_tell, {});
  for (Spilled& one : rest) {
    auto told = tell(one, report);
    if (!told) return told.error();
    if (!*told) to_tell.push_back(one);
  }
  return {};
}

Result<void> HomeReset::State::find_interfaces() {
  interfaces.clear();
  return maps.interfaces.for_each(
      [this](std::uint32_t ifindex, const flare_interface&) { interfaces.push_back(ifindex); });
}

/// The interface that a client's packets come in on: any of them finds the flow, but where
/// forwarding is off, packets leave by the interface that they came in on.
std::uint32_t HomeReset::State::interface_of(const flare_flow_key& client) const {
  if (interfaces.size() > 1) {
    auto towards = route_device(client.src);
    if (towards && *towards &&
        std::find(interfaces.begin(), interfaces.end(), **towards) != interfaces.end()) {
      return **towards;
    }
  }
  return interfaces.front();
}

/// What the program would say no to in any case is not worth a run.
bool HomeReset::State::may_be_idle(const TypedMap<flare_flow_key, flare_flow>::Entry& entry,
                                   std::uint64_t now_ns) const {
  const flare_flow& flow = entry.value;
  const auto bound = bounds.find(flow.service_id);
  return flow.dir == FLARE_DIR_FORWARD && entry.key.proto == PROTO_TCP && bound != bounds.end() &&
         !spent.contains(flow.service_id) && !(flow.flags & (FLARE_FLOW_FIN | FLARE_FLOW_RST)) &&
         flow.created_ns + bound->second < now_ns;
}

Result<void> HomeReset::State::look_at(const TypedMap<flare_flow_key, flare_flow>::Entry& entry,
                                       const flare_settings& settings, std::uint64_t now_ns,
                                       ResetReport& report) {
  if (!may_be_idle(entry, now_ns)) return {};
  ++report.seen;
  const auto turn = find_turn(maps, settings, entry.key);
  const std::uint64_t bound_ns = bounds.at(entry.value.service_id);
  if (!turn || turn->open_ns != 0 || turn->seen_ns + bound_ns >= now_ns) return {};
  Spilled one{.forward = entry.key,
              .reverse = entry.value.peer,
              .client_end = turn->client_end,
              .server_end = turn->server_end,
              .ifindex = interface_of(entry.key)};
  auto verdict = send(one, one.forward, one.client_end, one.server_end);
  if (!verdict) return verdict.error();
  if (*verdict == HOME_NOT_NOW) spent.insert(entry.value.service_id);
  if (*verdict != HOME_SENT) return {};
  auto told = tell(one, report);
  if (!told) return told.error();
  if (!*told) to_tell.push_back(one);
  return {};
}

HomeReset::HomeReset(std::unique_ptr<State> state) : state_(std::move(state)) {}
HomeReset::HomeReset(HomeReset&&) noexcept = default;
HomeReset& HomeReset::operator=(HomeReset&&) noexcept = default;
HomeReset::~HomeReset() = default;

Result<HomeReset> HomeReset::load(const std::filesystem::path& pin_dir, const Maps& maps) {
  std::unique_ptr<flare_home, Destroy> skeleton(flare_home::open(nullptr));
  if (!skeleton) return Error::from_errno("cannot read the built-in BPF object", errno);
  auto adopted = adopt_maps(skeleton->obj, layout_dir(pin_dir));
  if (!adopted) return adopted.error();
  skeleton->rodata->services_max = maps.services_max();
  skeleton->rodata->backends_max = maps.backends_max();
  const int failed = flare_home::load(skeleton.get());
  if (failed != 0) {
    return refused("cannot load flare_home", -failed, "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
  }
  auto bounds = adopt_idle_bounds(skeleton->maps.idle_bounds);
  if (!bounds) return bounds.error();
  return HomeReset(std::unique_ptr<State>(new State{
      .skeleton = std::move(skeleton), .kernel_bounds = *std::move(bounds), .maps = maps}));
}

Result<void> HomeReset::set_bound(std::uint32_t service_id, std::uint64_t bound_ns) {
  if (bound_ns == 0) {
    state_->bounds.erase(service_id);
  } else {
    state_->bounds[service_id] = bound_ns;
  }
  return state_->kernel_bounds.update(service_id, bound_ns);
}

Result<ResetReport> HomeReset::run() {
  const auto begun = steady_clock::now();
  State& state = *state_;
  ResetReport report;
  auto settings = state.maps.settings.lookup(0);
  if (!settings) return Error("map 'settings' has no entry");
  auto found = state.find_interfaces();
  if (!found) return found.error();
  if (state.interfaces.empty()) return report;
  auto told = state.tell_rest(report);
  if (!told) return told.error();
  state.spent.clear();
  do {
    auto entries = state.maps.flows.next(state.cursor, kFlowsAtOnce);
    if (!entries) return entries.error();
    const std::uint64_t now_ns = MonotonicClock().now_ns();
    for (const auto& entry : *entries) {
      auto looked = state.look_at(entry, *settings, now_ns, report);
      if (!looked) return looked.error();
    }
  } while (!state.cursor.at_start() && state.spent.size() < state.bounds.size() &&
           steady_clock::now() - begun < kRunFor);
  report.took = steady_clock::now() - begun;
  return report;
}

}  // namespace flare
