// A flared that answers once, or so many times.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "flarectl/context.h"

namespace flare::ctl {

/// Answers a connection with each of `answers` and keeps what was asked last.
class OneAnswer {
 public:
  OneAnswer(const std::string& path, std::string answer)
      : OneAnswer(path, std::vector<std::string>{std::move(answer)}) {}
  OneAnswer(const std::string& path, std::vector<std::string> answers)
      : path_(path), answers_(std::move(answers)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ::unlink(path.c_str());
    listening_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listening_.get(), 4), 0);
    thread_ = std::thread([this] {
      for (const std::string& answer : answers_) serve(answer);
    });
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
  void serve(const std::string& answer) {
    UniqueFd client(::accept(listening_.get(), nullptr, nullptr));
    std::array<char, 4096> text;
    ssize_t got = ::recv(client.get(), text.data(), text.size(), 0);
    if (got > 0) asked_.assign(text.data(), static_cast<std::size_t>(got));
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

  std::string path_;
  std::vector<std::string> answers_;
  std::string asked_;
  UniqueFd listening_;
  std::thread thread_;
};

}  // namespace flare::ctl
