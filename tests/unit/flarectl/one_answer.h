// A flared that answers once.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "flarectl/context.h"

namespace flare::ctl {

/// Answers one connection with `answer` and keeps what was asked.
class OneAnswer {
 public:
  OneAnswer(const std::string& path, std::string answer) : path_(path), answer_(std::move(answer)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ::unlink(path.c_str());
    listening_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listening_.get(), 4), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    ::unlink(path_.c_str());
  }
  Json asked() {
    thread_.join();
    return Json::parse(asked_);
  }

 private:
  void serve() {
    UniqueFd client(::accept(listening_.get(), nullptr, nullptr));
    std::array<char, 4096> text;
    ssize_t got = ::recv(client.get(), text.data(), text.size(), 0);
    if (got > 0) asked_.assign(text.data(), static_cast<std::size_t>(got));
    ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
  }

  std::string path_;
  std::string answer_;
  std::string asked_;
  UniqueFd listening_;
  std::thread thread_;
};

}  // namespace flare::ctl
