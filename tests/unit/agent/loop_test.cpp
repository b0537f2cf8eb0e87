// The loop: timers, signals and file changes as callbacks of one thread.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loop/event_loop.h"
#include "loop/file_watch.h"
#include "loop/signals.h"
#include "loop/timer.h"

namespace flare {
namespace {

using std::chrono::milliseconds;

EventLoop make_loop() {
  auto loop = EventLoop::make();
  EXPECT_TRUE(loop);
  return *std::move(loop);
}

/// Turns until `done` or two seconds have passed.
template <typename Done>
bool turn_until(EventLoop& loop, Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (!done() && std::chrono::steady_clock::now() < end) {
    if (!loop.turn(20)) return false;
  }
  return done();
}

TEST(Timer, FiresAgainAndAgain) {
  EventLoop loop = make_loop();
  int fired = 0;
  auto timer = Timer::every(loop, milliseconds(5), [&] { ++fired; });
  ASSERT_TRUE(timer);
  EXPECT_TRUE(turn_until(loop, [&] { return fired >= 3; }));
}

TEST(Timer, OnceFiresOnlyAfterARestart) {
  EventLoop loop = make_loop();
  int fired = 0;
  auto timer = Timer::once(loop, [&] { ++fired; });
  ASSERT_TRUE(timer);
  ASSERT_TRUE(loop.turn(20));
  EXPECT_EQ(fired, 0);
  ASSERT_TRUE((*timer)->restart(milliseconds(1)));
  EXPECT_TRUE(turn_until(loop, [&] { return fired == 1; }));
  ASSERT_TRUE(loop.turn(20));
  EXPECT_EQ(fired, 1);
}

TEST(Timer, GoneFiresNoMore) {
  EventLoop loop = make_loop();
  int fired = 0;
  {
    auto timer = Timer::every(loop, milliseconds(1), [&] { ++fired; });
    ASSERT_TRUE(timer);
  }
  ASSERT_TRUE(loop.turn(20));
  EXPECT_EQ(fired, 0);
}

TEST(EventLoop, DoesNotCallWhatACallbackOfTheSameTurnForgot) {
  EventLoop loop = make_loop();
  std::array<int, 2> one{};
  std::array<int, 2> two{};
  ASSERT_EQ(::pipe(one.data()), 0);
  ASSERT_EQ(::pipe(two.data()), 0);
  int calls = 0;
  const auto forget_both = [&](std::uint32_t) {
    ++calls;
    loop.forget(one[0]);
    loop.forget(two[0]);
  };
  ASSERT_TRUE(loop.watch(one[0], EPOLLIN, forget_both));
  ASSERT_TRUE(loop.watch(two[0], EPOLLIN, forget_both));
  ASSERT_EQ(::write(one[1], "x", 1), 1);
  ASSERT_EQ(::write(two[1], "x", 1), 1);
  ASSERT_TRUE(loop.turn(100));
  EXPECT_EQ(calls, 1);
  for (const int fd : {one[0], one[1], two[0], two[1]}) ::close(fd);
}

TEST(Signals, ComeAsCallbacks) {
  EventLoop loop = make_loop();
  int got = 0;
  auto signals = Signals::handle(loop, {SIGUSR1}, [&](int number) { got = number; });
  ASSERT_TRUE(signals);
  ASSERT_EQ(::raise(SIGUSR1), 0);
  EXPECT_TRUE(turn_until(loop, [&] { return got == SIGUSR1; }));
}

class Watch : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flare-watch-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    file_ = folder_ / "flare.yaml";
    std::ofstream(file_) << "1";
    auto watch = FileWatch::on(loop_, file_, milliseconds(10), [this] { ++changes_; });
    ASSERT_TRUE(watch) << watch.error().message();
    watch_ = *std::move(watch);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  bool changed() {
    return turn_until(loop_, [this] { return changes_ > 0; });
  }

  EventLoop loop_ = make_loop();
  std::filesystem::path folder_;
  std::filesystem::path file_;
  std::unique_ptr<FileWatch> watch_;
  int changes_ = 0;
};

TEST_F(Watch, SeesAWrite) {
  std::ofstream(file_) << "2";
  EXPECT_TRUE(changed());
}

TEST_F(Watch, SeesARenameOver) {
  std::ofstream(folder_ / "fresh") << "2";
  std::filesystem::rename(folder_ / "fresh", file_);
  EXPECT_TRUE(changed());
  changes_ = 0;
  std::ofstream(folder_ / "fresh") << "3";
  std::filesystem::rename(folder_ / "fresh", file_);
  EXPECT_TRUE(changed()) << "the second time";
}

TEST_F(Watch, SeesASwappedLink) {
  std::filesystem::create_symlink("elsewhere", folder_ / "..tmp");
  std::filesystem::rename(folder_ / "..tmp", folder_ / "..data");
  EXPECT_TRUE(changed());
}

TEST_F(Watch, LooksAwayFromOtherFiles) {
  std::ofstream(folder_ / "other") << "2";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(loop_.turn(10));
  EXPECT_EQ(changes_, 0);
}

TEST_F(Watch, TellsABurstOnce) {
  for (int i = 0; i < 20; ++i) std::ofstream(file_) << i;
  EXPECT_TRUE(changed());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(loop_.turn(10));
  EXPECT_EQ(changes_, 1);
}

}  // namespace
}  // namespace flare
