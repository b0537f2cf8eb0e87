// Preloaded into flared by tests, for what cannot be done to a process from outside.
//
// FLARE_BAD_PROGRAM: the kernel gets, in the place of the tc ingress program, one that drops every
// packet; the verifier has nothing against it.
// FLARE_HANDLES_SIGUSR1: that signal interrupts what it waits for (EINTR), and does nothing else.
// FLARE_KILLED_AT_WRITE=N: from that signal on, its Nth write of a map's entry is its end
// (SIGKILL).
#include <dlfcn.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <signal.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using Syscall = long (*)(long, ...);

/// As libbpf fills it in for the program that is to be replaced.
bool loads_ingress(const bpf_attr& attr) {
  return attr.prog_type == BPF_PROG_TYPE_SCHED_CLS &&
         std::strcmp(attr.prog_name, "flare_tc_ingres") == 0;
}

void replace_program(bpf_attr& attr) {
  static bpf_insn drop[2]{};
  drop[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  drop[0].imm = TC_ACT_SHOT;
  drop[1].code = BPF_JMP | BPF_EXIT;
  attr.insns = reinterpret_cast<std::uint64_t>(drop);
  attr.insn_cnt = 2;
  attr.func_info_cnt = 0;
  attr.line_info_cnt = 0;
}

/// Until it is killed, itself included; 0: it is not.
std::atomic<int> writes_left = 0;
int writes_to_death = 0;

__attribute__((constructor)) void handle_signal() {
  const char* write = std::getenv("FLARE_KILLED_AT_WRITE");
  if (write == nullptr && std::getenv("FLARE_HANDLES_SIGUSR1") == nullptr) return;
  if (write != nullptr) writes_to_death = std::atoi(write);
  struct sigaction action {};  // without SA_RESTART
  action.sa_handler = [](int) { writes_left = writes_to_death; };
  ::sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

// Every parameter of a system call fits a long, and reading more of them than there are is
// harmless.
extern "C" long syscall(long number, ...) {
  static const auto real = reinterpret_cast<Syscall>(::dlsym(RTLD_NEXT, "syscall"));
  long words[6]{};
  va_list list;
  va_start(list, number);
  for (long& word : words) word = va_arg(list, long);
  va_end(list);
  const bool writes = number == SYS_bpf && words[0] == BPF_MAP_UPDATE_ELEM;
  if (writes && writes_left > 0 && --writes_left == 0) ::raise(SIGKILL);
  const bool loads = number == SYS_bpf && words[0] == BPF_PROG_LOAD;
  if (loads && std::getenv("FLARE_BAD_PROGRAM") != nullptr) {
    bpf_attr attr{};
    std::memcpy(&attr, reinterpret_cast<const void*>(words[1]),
                static_cast<std::size_t>(words[2]) < sizeof(attr)
                    ? static_cast<std::size_t>(words[2])
                    : sizeof(attr));
    if (loads_ingress(attr)) {
      replace_program(attr);
      return real(number, words[0], reinterpret_cast<long>(&attr), words[2], words[3], words[4],
                  words[5]);
    }
  }
  return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
