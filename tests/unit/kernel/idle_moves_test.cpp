// When idle connections are reset: the agent's own step on real sockets.
#include "service/idle_moves.h"

#include <sys/mman.h>

#include "idle_reset_fixture.h"

namespace flare {
namespace {

class IdleMovesTest : public IdleResetTest {
 protected:
  void SetUp() override {
    IdleResetTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    listener_ = listen_on(kFrontend);
    put_service(kFrontend);
    ServiceConfig service;
    service.frontend = *Endpoint::parse(kFrontend);
    service.move = {.how = FLARE_MOVE_CLOSE, .idle = true};
    config_.services.push_back(service);
    log_file_ = UniqueFd(::memfd_create("log", MFD_CLOEXEC));
    log_ = make_logger(log_file_.get(), false);
    log_->set_level(spdlog::level::debug);
    moves_.emplace(maps(), *log_);
    moves_->load(pin_dir_);
  }
  void TearDown() override {
    moves_.reset();
    IdleResetTest::TearDown();
  }

  Connection idle() { return connect(listener_, kFrontend); }
  /// How long the last walk that reset something took, as it is logged.
  std::uint64_t logged_took_us() const {
    std::string log(4096, 0);
    const ssize_t got = ::pread(log_file_.get(), log.data(), log.size(), 0);
    log.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    const std::string key = "took_us=";
    const auto at = log.rfind(key);
    EXPECT_NE(at, std::string::npos) << log;
    return at == std::string::npos ? 0 : std::stoull(log.substr(at + key.size()));
  }

  static constexpr const char* kFrontend = "127.0.0.1:8443";
  UniqueFd listener_, log_file_;
  Config config_;
  std::unique_ptr<Logger> log_;
  std::optional<IdleMoves> moves_;
};

TEST_F(IdleMovesTest, PauseForTwentyTimesWhatAWalkTook) {
  const std::uint64_t begun = 1000 * kSecond;
  const Connection first = idle();
  moves_->step(config_, begun);
  ASSERT_EQ(first.client_error(), ECONNRESET);
  const std::uint64_t took_us = logged_took_us();
  ASSERT_GT(took_us, 0U);
  const Connection second = idle();
  moves_->step(config_, begun + 20 * took_us * 1000 - 1);
  EXPECT_EQ(second.client_error(), 0) << "the walks may take a twentieth of the time";
  moves_->step(config_, begun + 20 * (took_us + 1) * 1000);
  EXPECT_EQ(second.client_error(), ECONNRESET);
}

TEST_F(IdleMovesTest, AskTheConfigurationAndTheRateOfTheMoment) {
  const Connection one = idle();
  config_.services[0].move.idle = false;
  moves_->step(config_, kSecond);
  EXPECT_EQ(one.client_error(), 0) << "not asked for";
  config_.services[0].move.idle = true;
  service_.move_interval_ns[FLARE_TIER_VM] = 0;
  put_service(kFrontend);
  moves_->step(config_, 2 * kSecond);
  EXPECT_EQ(one.client_error(), 0) << "none shall leave now";
  service_.move_interval_ns[FLARE_TIER_VM] = 1;
  put_service(kFrontend);
  moves_->step(config_, 3 * kSecond);
  EXPECT_EQ(one.client_error(), ECONNRESET);
}

}  // namespace
}  // namespace flare
