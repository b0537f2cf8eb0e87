#include "host/notify.h"

#include <systemd/sd-daemon.h>

#include <ctime>
#include <string>

namespace flare {

std::optional<std::chrono::microseconds> watchdog_bound() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

void notify_ready(std::string_view status) {
  ::sd_notify(0, ("READY=1\nSTATUS=" + std::string(status)).c_str());
}

void notify_status(std::string_view status) {
  ::sd_notify(0, ("STATUS=" + std::string(status)).c_str());
}

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = now.tv_sec * 1'000'000 + now.tv_nsec / 1'000;
  ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds)).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }

void notify_alive() { ::sd_notify(0, "WATCHDOG=1"); }

}  // namespace flare
