// What systemd is told, where it runs us (Type=notify); without it, nothing happens.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace flare {

/// How often the service manager wants a sign of life, at the longest; nullopt: it wants none.
std::optional<std::chrono::microseconds> watchdog_bound();

void notify_ready(std::string_view status);
void notify_status(std::string_view status);
void notify_reloading();
void notify_stopping();
void notify_alive();

}  // namespace flare
