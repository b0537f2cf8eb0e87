// The base: hashing and logging.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "base/siphash.h"
#include "base/unique_fd.h"

namespace flare {
namespace {

TEST(SipHash, GivesTheVectorOfItsPaper) {
  const HashKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  std::vector<std::uint8_t> bytes(15);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(siphash(key, bytes), 0xa129ca6149be45e5ULL);
}

TEST(SipHash, DependsOnTheKey) {
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  EXPECT_NE(siphash({1, 2}, bytes), siphash({1, 3}, bytes));
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  // The writer blocks, as a terminal or journald would.
  EXPECT_EQ(::fcntl(ends[1], F_SETFL, 0), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string drain(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

TEST(Log, WritesALineWithItsPriorityForTheJournal) {
  const Pipe pipe = make_pipe();
  const auto log = make_logger(pipe.writer.get(), true);
  log->warn("cannot attach interface={}", "eth0");
  EXPECT_EQ(drain(pipe.reader.get()), "<4>cannot attach interface=eth0\n");
}

TEST(Log, NeverWaitsForItsReaderAndSaysHowMuchWasLost) {
  const Pipe pipe = make_pipe();
  const auto log = make_logger(pipe.writer.get(), true);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2000; ++i) log->info("{}", std::string(100, 'x'));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  drain(pipe.reader.get());
  log->info("after");
  const std::string text = drain(pipe.reader.get());
  EXPECT_NE(text.find("log lines were lost\n<6>after\n"), std::string::npos) << text;
}

TEST(Log, KnowsItsLevels) {
  EXPECT_EQ(log_level("warning"), spdlog::level::warn);
  EXPECT_FALSE(log_level("loud"));
}

}  // namespace
}  // namespace flare
