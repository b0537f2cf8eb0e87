// The control socket: a line for a line, whoever is at the other end.
#include "loop/line_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

namespace flare {
namespace {

class Server : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flare-line-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "sock";
    auto loop = EventLoop::make();
    ASSERT_TRUE(loop);
    loop_ = std::make_unique<EventLoop>(*std::move(loop));
    serve({});
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void serve(const LineServerLimits& limits) {
    server_.reset();
    auto server = LineServer::listen(*loop_, path_, ::getegid(), limits,
                                     [this](const Peer& peer, std::string_view line) {
                                       last_peer_ = peer;
                                       return std::string(line) + std::string(padding_, '!');
                                     });
    ASSERT_TRUE(server) << server.error().message();
    server_ = *std::move(server);
  }

  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  void turn(int times = 10) const {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(loop_->turn(2));
  }

  static std::string read_all(const UniqueFd& fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t size = 0; (size = ::read(fd.get(), buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

  static bool is_closed(const UniqueFd& fd) {
    char byte = 0;
    const ssize_t size = ::recv(fd.get(), &byte, 1, 0);
    return size == 0 || (size < 0 && errno != EAGAIN);
  }

  static void say(const UniqueFd& fd, std::string_view text) {
    ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<LineServer> server_;
  Peer last_peer_;
  std::size_t padding_ = 0;
};

TEST_F(Server, AnswersEachLineInOrder) {
  const UniqueFd client = connect();
  say(client, "one\ntwo\nthr");
  turn();
  EXPECT_EQ(read_all(client), "one\ntwo\n");
  say(client, "ee\n");
  turn();
  EXPECT_EQ(read_all(client), "three\n");
}

TEST_F(Server, KnowsWhoAsks) {
  const UniqueFd client = connect();
  say(client, "x\n");
  turn();
  EXPECT_EQ(last_peer_.uid, ::getuid());
  EXPECT_EQ(last_peer_.pid, ::getpid());
}

TEST_F(Server, IsForOwnerAndGroupOnly) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660U);
}

TEST_F(Server, ClosesOnALineWithoutEnd) {
  serve({.line_bytes = 64});
  const UniqueFd client = connect();
  say(client, std::string(65, 'x'));
  turn();
  EXPECT_TRUE(is_closed(client));
}

TEST_F(Server, TakesOnlySoManyClients) {
  serve({.clients = 2});
  const UniqueFd one = connect();
  const UniqueFd two = connect();
  const UniqueFd three = connect();
  turn();
  EXPECT_FALSE(is_closed(one));
  EXPECT_FALSE(is_closed(two));
  EXPECT_TRUE(is_closed(three));
}

TEST_F(Server, GivesThePlaceOfWhoSaysNothingWholeToAnother) {
  serve({.clients = 2, .silence = std::chrono::milliseconds(60)});
  const UniqueFd slow = connect();
  const UniqueFd quick = connect();
  turn();
  std::this_thread::sleep_for(std::chrono::milliseconds(70));
  say(slow, "never end");
  say(quick, "x\n");
  turn();
  const UniqueFd third = connect();
  turn();
  EXPECT_TRUE(is_closed(slow)) << "half a line is silence";
  EXPECT_EQ(read_all(quick), "x\n");
  say(third, "y\n");
  turn();
  EXPECT_EQ(read_all(third), "y\n");
  EXPECT_FALSE(is_closed(quick));
}

TEST_F(Server, KeepsPlacesForRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: it is another user for a while";
  serve({.clients = 4, .others = 2});
  ASSERT_EQ(::chmod(folder_.c_str(), 0711), 0);
  std::vector<UniqueFd> others;
  ASSERT_EQ(::seteuid(64998), 0);
  for (int i = 0; i < 3; ++i) others.push_back(connect());
  ASSERT_EQ(::seteuid(0), 0);
  turn();
  EXPECT_FALSE(is_closed(others[1]));
  EXPECT_TRUE(is_closed(others[2]));
  const UniqueFd root = connect();
  say(root, "x\n");
  turn();
  EXPECT_EQ(read_all(root), "x\n");
  EXPECT_EQ(last_peer_.uid, 0U);
}

TEST_F(Server, DoesNotWaitForAClientThatNeverReads) {
  padding_ = 3000;
  const UniqueFd deaf = connect();
  const std::string lines(2000, '\n');
  static_cast<void>(::send(deaf.get(), lines.data(), lines.size(), MSG_NOSIGNAL));
  const UniqueFd other = connect();
  const auto start = std::chrono::steady_clock::now();
  turn(50);
  say(other, "hello\n");
  turn(50);
  EXPECT_EQ(read_all(other), "hello" + std::string(3000, '!') + "\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(Server, AnswersAllOfManyLinesToAClientThatReadsLate) {
  padding_ = 3000;
  const UniqueFd client = connect();
  say(client, std::string(1000, '\n'));
  std::size_t bytes = 0;
  for (int i = 0; i < 500 && bytes < 1000U * 3001U; ++i) {
    turn(2);
    bytes += read_all(client).size();
  }
  EXPECT_EQ(bytes, 1000U * 3001U);
}

/// Clients ask for more than a socket holds: one reads nothing, one a few bytes now and then, and
/// one all that comes, which it does between any two turns of the loop.
TEST_F(Server, ClosesWhoLeavesAnAnswerUnread) {
  serve({.reading = std::chrono::milliseconds(150)});
  padding_ = 3000;
  const UniqueFd deaf = connect();
  const UniqueFd slow = connect();
  const UniqueFd reader = connect();
  const UniqueFd idle = connect();
  for (const UniqueFd* client : {&deaf, &slow}) say(*client, std::string(500, '\n'));
  std::size_t asked = 0;
  std::size_t bytes = 0;
  std::array<char, 10> few{};
  const auto begun = std::chrono::steady_clock::now();
  auto slow_reads_at = begun;
  const auto lasts = [begun] {
    return std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(500);
  };
  while (bytes < asked * 3001 || lasts()) {
    if (bytes == asked * 3001) {
      say(reader, std::string(100, '\n'));
      asked += 100;
    }
    turn(1);
    const std::string read = read_all(reader);
    bytes += read.size();
    ASSERT_FALSE(read.empty() && is_closed(reader)) << bytes << " of " << asked * 3001;
    if (std::chrono::steady_clock::now() < slow_reads_at) continue;
    static_cast<void>(::read(slow.get(), few.data(), few.size()));
    slow_reads_at += std::chrono::milliseconds(10);
  }
  EXPECT_FALSE(is_closed(idle)) << "it is owed nothing";
  EXPECT_LT(read_all(deaf).size(), 500U * 3001U);
  EXPECT_TRUE(is_closed(deaf));
  EXPECT_LT(read_all(slow).size(), 500U * 3001U);
  EXPECT_TRUE(is_closed(slow)) << "an answer has its time in all, not for each byte";
}

TEST_F(Server, SurvivesAClientThatLeavesInTheMiddle) {
  {
    const UniqueFd client = connect();
    say(client, "half");
    turn(2);
  }
  turn();
  const UniqueFd client = connect();
  say(client, "x\n");
  turn();
  EXPECT_EQ(read_all(client), "x\n");
}

TEST_F(Server, RemovesItsSocket) {
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace flare
