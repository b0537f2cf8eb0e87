#include "steps.h"

#include <signal.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tag_server.h"

namespace flare::test {
namespace {

constexpr int kVms = 8;
constexpr double kPatience = 5;   ///< seconds for an answer, where all should answer
constexpr double kSilence = 3;    ///< where some cannot
constexpr double kRecovery = 20;  ///< where retransmissions must come first
const std::string kVip = "203.0.113.100:7000";

/// What a step does to the flows of the backend that it changes, and where new ones go.
enum class Harm { kNone, kAllBreak, kAllSilent, kHealed };
enum class Fresh { kAny, kSome, kNone };

double patience_for(Harm harm) {
  if (harm == Harm::kAllSilent) return kSilence;
  return harm == Harm::kHealed ? kRecovery : kPatience;
}

std::size_t of(const Tally& tally, char tag) {
  const auto found = tally.find(tag);
  return found == tally.end() ? 0 : found->second;
}
std::size_t of_others(const Tally& tally, char tag) { return total(tally) - of(tally, tag); }

/// A balancer's lab with a server on each VM, and flows of one client.
class Scene {
 public:
  Scene(std::string snat, const DisruptionPlan& plan)
      : plan_(plan),
        snat_(std::move(snat)),
        lab_(plan.attach, Shape::kTwoArms),
        flows_(lab_.name("client"), *Endpoint::parse(kVip)) {
    for (int vm = 1; vm <= kVms; ++vm)
      servers_[vm] = std::make_unique<TagServer>(host(vm), endpoint(vm), tag(vm));
  }

  static char tag(int vm) { return static_cast<char>('0' + vm); }
  std::string host(int vm) const { return lab_.name("vm" + std::to_string(vm)); }
  static std::string endpoint(int vm) { return "10.20." + std::to_string(vm + 2) + ".10:9000"; }

  /// More of a backend's line, by its number; a backend without one is not configured.
  using Backends = std::map<int, std::string>;
  static Backends first(int count) {
    Backends all;
    for (int vm = 1; vm <= count; ++vm) all[vm] = "";
    return all;
  }
  void configure(const Backends& backends) {
    std::string text = "  - name: web\n    frontend: " + kVip +
                       "\n    placement: balancer\n    policy: observe\n    snat_mode: " + snat_ +
                       "\n    vm:\n";
    for (const auto& [vm, more] : backends)
      text += "      - {endpoint: \"" + endpoint(vm) + "\"" + more + "}\n";
    lab_.configure(text);
    if (lab_.agent_runs()) lab_.ctl_ok("reload");
  }
  Lab& lab() { return lab_; }
  HeldFlows& flows() { return flows_; }
  void kill_server(int vm) { servers_.erase(vm); }

  /// Resets that the VMs' stacks have sent, but those of `changed`.
  std::uint64_t resets_of_others(char changed) const {
    std::uint64_t sum = 0;
    for (int vm = 1; vm <= kVms; ++vm)
      if (tag(vm) != changed) sum += resets_sent(host(vm));
    return sum;
  }

  Step step(const std::string& title, char changed, const std::function<void()>& change,
            Harm harm = Harm::kNone, Fresh fresh = Fresh::kAny) {
    if (harm != Harm::kHealed) flows_.fill_up(plan_.flows);
    Step made;
    made.title = title;
    made.changed = changed;
    made.open = flows_.size();
    made.of_changed = flows_.of(changed);
    const std::uint64_t resets = resets_of_others(changed);
    change();
    made.round = flows_.check(patience_for(harm));
    made.strays = resets_of_others(changed) - resets;
    made.fresh = flows_.renew(plan_.probes);
    judge(made, harm, fresh);
    return made;
  }

 private:
  static void judge(Step& step, Harm harm, Fresh fresh) {
    const Round& round = step.round;
    const std::size_t broken = of(round.broken, step.changed);
    const std::size_t silent = of(round.silent, step.changed);
    const std::size_t gone_to = of(step.fresh, step.changed);
    const std::size_t failed = of(step.fresh, '-');
    step.bounds = {
        {"no flow moved", round.moved.empty()},
        {"no flow of another backend broke", of_others(round.broken, step.changed) == 0},
        {"no flow of another backend is silent", of_others(round.silent, step.changed) == 0},
        {"no machine was sent a segment of a flow that it does not have", step.strays == 0},
        {"flows of the changed backend broke as they should",
         broken == (harm == Harm::kAllBreak ? step.of_changed : 0)},
        {"flows of the changed backend are silent as they should be",
         silent == (harm == Harm::kAllSilent ? step.of_changed : 0)},
    };
    if (harm != Harm::kNone)
      step.bounds.push_back({"the changed backend had flows", step.of_changed > 0});
    if (harm == Harm::kNone || fresh != Fresh::kAny)
      step.bounds.push_back({"every new flow is served", failed == 0});
    if (fresh != Fresh::kAny)
      step.bounds.push_back({"new flows go to the changed backend, or not, as they should",
                             (gone_to > 0) == (fresh == Fresh::kSome)});
  }

  DisruptionPlan plan_;
  std::string snat_;
  Lab lab_;
  std::map<int, std::unique_ptr<TagServer>> servers_;
  HeldFlows flows_;
};

std::vector<Step> all_steps(Scene& scene, const std::function<void(const Step&)>& progress) {
  std::vector<Step> steps;
  const auto done = [&](Step step) {
    progress(step);
    steps.push_back(std::move(step));
  };
  Lab& lab = scene.lab();
  Scene::Backends set = Scene::first(7);
  const auto set_to = [&](int vm, const char* more) {
    return [&scene, &set, vm, more] {
      set[vm] = more;
      scene.configure(set);
    };
  };
  const auto link = [&lab](int vm, const char* state) {
    return
        [&lab, vm, state] { lab.in("lb", "ip link set to-vm" + std::to_string(vm) + " " + state); };
  };
  scene.configure(set);
  lab.start_agent();
  done(scene.step("vm8 is added", '8', set_to(8, ""), Harm::kNone, Fresh::kSome));
  done(scene.step("vm1: weight 1 to 5", '1', set_to(1, ", weight: 5"), Harm::kNone, Fresh::kSome));
  done(scene.step(
      "vm2 drains", '2', [&] { lab.ctl_ok("backend drain web " + Scene::endpoint(2)); },
      Harm::kNone, Fresh::kNone));
  done(scene.step(
      "vm2 takes flows again", '2',
      [&] { lab.ctl_ok("backend undrain web " + Scene::endpoint(2)); }, Harm::kNone, Fresh::kSome));
  done(scene.step(
      "vm8 is removed", '8',
      [&] {
        set.erase(8);
        scene.configure(set);
      },
      Harm::kNone, Fresh::kNone));
  done(scene.step("flared ends (SIGTERM)", 0, [&] { lab.stop_agent(SIGTERM); }));
  done(scene.step("flared starts", 0, [&] { lab.start_agent(); }));
  done(scene.step("flared is killed (SIGKILL)", 0, [&] { lab.stop_agent(SIGKILL); }));
  done(scene.step("flared starts", 0, [&] { lab.start_agent(); }));
  done(scene.step("vm3: state down", '3', set_to(3, ", state: down"), Harm::kAllBreak,
                  Fresh::kNone));
  done(scene.step("vm5: link down", '5', link(5, "down"), Harm::kAllSilent));
  done(scene.step("vm5: link up", '5', link(5, "up"), Harm::kHealed));
  done(scene.step(
      "vm4: server killed", '4', [&] { scene.kill_server(4); }, Harm::kAllBreak));
  return steps;
}

/// How many ports the datapath has tried for the flows of the service.
std::uint64_t port_probes(const Lab& lab) {
  const auto shown = nlohmann::json::parse(lab.ctl_ok("-o json nat"));
  return shown.at("services").at(0).at("port_probes").get<std::uint64_t>();
}

LostMaps lose_maps(Scene& scene, const std::string& snat, const DisruptionPlan& plan) {
  Lab& lab = scene.lab();
  scene.configure(Scene::first(kVms));
  lab.start_agent();
  scene.flows().fill_up(plan.flows);
  LostMaps lost;
  if (snat == "always") lost.other_ports = port_probes(lab) - plan.flows;
  lost.step = scene.step("all maps are lost", 0, [&lab] {
    lab.stop_agent(SIGTERM);
    lab.ctl_ok("detach --yes");
    if (lab.ctl("nat").exit_code == 0) throw std::runtime_error("the maps are still there");
    lab.start_agent();
  });
  // A flow that does not get its first port anew may take that of one that had it.
  lost.step.bounds = {
      {"no flow moved", lost.step.round.moved.empty()},
      {"at most two flows are lost for each whose first NAT port had been taken",
       total(lost.step.round.broken) + total(lost.step.round.silent) <= 2 * lost.other_ports},
  };
  return lost;
}

}  // namespace

DisruptionRun run_disruption(const std::string& snat, const DisruptionPlan& plan,
                             const std::function<void(const Step&)>& progress) {
  DisruptionRun run;
  run.snat = snat;
  {
    Scene scene(snat, plan);
    run.steps = all_steps(scene, progress);
  }
  Scene scene(snat, plan);
  run.lost = lose_maps(scene, snat, plan);
  progress(run.lost.step);
  return run;
}

}  // namespace flare::test
