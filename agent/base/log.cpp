#include "base/log.h"

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdint>
#include <string>
#include <utility>

namespace flare {
namespace {

constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 5> kLevels{{
    {"trace", spdlog::level::trace},
    {"debug", spdlog::level::debug},
    {"info", spdlog::level::info},
    {"warning", spdlog::level::warn},
    {"error", spdlog::level::err},
}};

/// The priority prefix that journald reads off the start of a line (sd-daemon(3)).
std::string_view journal_prefix(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
    case spdlog::level::err:
      return "<3>";
    case spdlog::level::warn:
      return "<4>";
    case spdlog::level::info:
      return "<6>";
    default:
      return "<7>";
  }
}

class NonBlockingSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  NonBlockingSink(int fd, bool for_journal) : fd_(fd), for_journal_(for_journal) {
    struct stat status {};
    is_socket_ = ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line;
    if (for_journal_) line = journal_prefix(message.level);
    line.append(formatted.data(), formatted.size());
    // A pipe that polls writable takes PIPE_BUF bytes without waiting, and no more for certain.
    if (line.size() > PIPE_BUF) {
      line.resize(PIPE_BUF - 1);
      line.push_back('\n');
    }
    if (lost_ > 0) {
      const std::string notice = std::to_string(lost_) + " log lines were lost\n";
      if (!put(notice)) {
        ++lost_;
        return;
      }
      lost_ = 0;
    }
    if (!put(line)) ++lost_;
  }

  void flush_() override {}

 private:
  bool put(std::string_view text) const {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
    const ssize_t written = is_socket_
                                ? ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                : ::write(fd_, text.data(), text.size());
    return written == static_cast<ssize_t>(text.size());
  }

  int fd_;
  bool for_journal_;
  bool is_socket_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace

std::optional<spdlog::level::level_enum> log_level(std::string_view name) {
  for (const auto& [word, level] : kLevels) {
    if (word == name) return level;
  }
  return std::nullopt;
}

std::unique_ptr<Logger> make_logger(int fd, bool for_journal) {
  auto sink = std::make_shared<NonBlockingSink>(fd, for_journal);
  auto logger = std::make_unique<Logger>("flared", std::move(sink));
  logger->set_pattern(for_journal ? "%v" : "%Y-%m-%d %H:%M:%S.%e %l %v");
  return logger;
}

}  // namespace flare
