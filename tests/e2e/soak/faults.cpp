#include "faults.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

namespace flare::test {
namespace {

void hold(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// A connection to the control socket.
UniqueFd dial_control(const Lab& lab) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (lab.folder() / "flared.sock").string();
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to " + path);
  return socket;
}

/// Asks and never reads, until flared takes no more of it or closes the connection; half a question
/// on others. Who comes then is answered all the same.
void ask_and_not_read(const Lab& lab) {
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(dial_control(lab));
    (void)!::send(idle.back().get(), R"({"command":)", 11, MSG_NOSIGNAL);
  }
  const UniqueFd deaf = dial_control(lab);
  const std::string question = "{\"command\":\"endpoints\",\"service\":\"web\"}\n";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) {
    const ssize_t sent =
        ::send(deaf.get(), question.data(), question.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) break;
    if (sent < 0) hold(0.01);
  }
  lab.ctl_ok("reload");
}

void restart(Lab& lab, int signal, double gap) {
  lab.stop_agent(signal);
  hold(gap);
  lab.start_agent();
}

/// Interfaces by that name must be attached, or not be there.
void expect_interface(const Lab& lab, const std::string& name, bool attached) {
  const bool as_wanted = wait_for(
      [&] {
        return (lab.ctl("status").out.find("\n" + name + " ") != std::string::npos) == attached;
      },
      5);
  if (!as_wanted)
    throw std::runtime_error(name + " is " + (attached ? "not attached" : "still attached") + "\n" +
                             lab.ctl("status").out);
}

void add_fourth_vm(SoakLab& soak) {
  soak.ctl_each("backend add", SoakLab::vm(SoakLab::kVms));
  hold(2);
  soak.ctl_each("backend remove", SoakLab::vm(SoakLab::kVms));
}

void refuse_configuration(SoakLab& soak) {
  soak.configure_badly();
  const bool is_taken = soak.lab().ctl("reload").exit_code == 0;
  soak.configure();
  if (is_taken) throw std::runtime_error("a bad configuration was taken");
  soak.lab().ctl_ok("reload");
}

/// Whatever reads the maps and pins, as an operator would in a hurry.
void list_everything(const Lab& lab) {
  for (int i = 0; i < 3; ++i) {
    for (const char* command : {"status", "flow list", "flow count", "counters", "nat",
                                "backend list", "service list", "spills"})
      if (const auto said = lab.ctl(command); said.exit_code != 0 && said.exit_code != 7)
        throw std::runtime_error(std::string(command) + ": " + said.out);
    lab.in("lb", "ls -lR " + lab.pin_dir().string());
  }
}

std::vector<Fault> restarts(Lab& lab) {
  return {
      {.name = "flared killed, started",
       .cause = [&lab] { restart(lab, SIGKILL, 1); },
       .restarts = true},
      {.name = "flared ended, started: programs replaced",
       .cause = [&lab] { restart(lab, SIGTERM, 0); },
       .restarts = true},
  };
}

std::vector<Fault> faults_that_take_time(Lab& lab) {
  return {
      {.name = "flared stopped for 7 s",
       .cause =
           [&lab] {
             lab.signal_agent(SIGSTOP);
             hold(7);
             lab.signal_agent(SIGCONT);
             lab.ctl_ok("reload");
           }},
      {.name = "a control client that does not read", .cause = [&lab] { ask_and_not_read(lab); }},
      {.name = "pins, maps and flows listed", .cause = [&lab] { list_everything(lab); }},
  };
}

std::vector<Fault> faults_of_the_configuration(SoakLab& soak) {
  Lab& lab = soak.lab();
  return {
      {.name = "reload: other weights",
       .cause =
           [&soak, &lab] {
             soak.configure(5);
             lab.ctl_ok("reload");
             hold(1);
             soak.configure();
             lab.ctl_ok("reload");
           }},
      {.name = "reload: refused", .cause = [&soak] { refuse_configuration(soak); }},
      {.name = "share 0.5, then 0.2",
       .cause =
           [&soak] {
             soak.ctl_each("share set", "0.5");
             hold(2);
             soak.ctl_each("share set", "0.2");
           }},
      {.name = "backend drained, undrained",
       .cause =
           [&soak] {
             soak.ctl_each("backend drain", SoakLab::vm(2));
             hold(1);
             soak.ctl_each("backend undrain", SoakLab::vm(2));
           }},
      {.name = "backend added, removed", .cause = [&soak] { add_fourth_vm(soak); }},
  };
}

std::vector<Fault> faults_of_interfaces(Lab& lab) {
  const auto make = [&lab] {
    lab.in("lb", "ip link add spare0 type veth peer name unused0; ip link set spare0 up");
    expect_interface(lab, "spare0", true);
  };
  const auto remove = [&lab](const std::string& name) {
    lab.in("lb", "ip link del " + name);
    expect_interface(lab, name, false);
  };
  return {
      {.name = "another interface down and up",
       .cause =
           [&lab, make, remove] {
             make();
             lab.in("lb", "ip link set spare0 down; sleep 1; ip link set spare0 up");
             expect_interface(lab, "spare0", true);
             remove("spare0");
           }},
      {.name = "another interface renamed, deleted",
       .cause =
           [&lab, make, remove] {
             make();
             lab.in("lb", "ip link set spare0 name spare1");
             expect_interface(lab, "spare1", true);
             remove("spare1");
           }},
      {.name = "link of a VM down for 1 s",
       .cause = [&lab] { lab.in("lb", "ip link set to-vm1 down; sleep 1; ip link set to-vm1 up"); },
       .may_lose = "that VM cannot be reached; its flows stay with it"},
  };
}

}  // namespace

std::vector<Fault> all_faults(SoakLab& soak) {
  std::vector<Fault> all = restarts(soak.lab());
  for (auto& part : {faults_of_the_configuration(soak), faults_of_interfaces(soak.lab()),
                     faults_that_take_time(soak.lab())})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::function<void()> breakage(SoakLab& soak, const std::string& name) {
  Lab& lab = soak.lab();
  if (name == "detach")
    return [&lab] {
      lab.ctl_ok("detach --interface to-client --yes");
      lab.ctl_ok("reload");
    };
  if (name == "descriptor")
    return [held = std::make_shared<std::vector<UniqueFd>>(), &lab] {
      held->push_back(dial_control(lab));
    };
  if (name == "map")
    return [&lab, count = 0]() mutable {
      const UniqueFd map(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "leak", 4, 4096, 100, nullptr));
      const std::string pin = lab.pin_dir().string() + "/leak" + std::to_string(count++);
      if (!map || ::bpf_obj_pin(map.get(), pin.c_str()) != 0)
        throw std::runtime_error("cannot leak a map");
    };
  return [] {};
}

}  // namespace flare::test
