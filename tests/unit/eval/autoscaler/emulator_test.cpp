// The emulator over a real backend, on loopback; only the rules' clock is made up.
#include "eval/autoscaler/emulator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/server.h"
#include "base/clock.h"
#include "loop/event_loop.h"

namespace flare::eval {
namespace {

using namespace std::chrono_literals;

/// A pod with one slot, served by a thread of its own.
class ServedPod {
 public:
  ServedPod() {
    lab::ServerConfig config;
    config.listen = {Endpoint{*Address::parse("127.0.0.1"), 0}};
    config.slots = 1;
    config.times = {1, 60'000, 0};  // a request keeps the slot for a minute
    loop_ = std::make_unique<EventLoop>(*EventLoop::make());
    server_ = *lab::Server::start(*loop_, clock_, config);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) EXPECT_TRUE(loop_->turn(10));
    });
  }
  ServedPod(const ServedPod&) = delete;
  ServedPod& operator=(const ServedPod&) = delete;
  ~ServedPod() {
    thread_.request_stop();
    thread_.join();
  }

  std::uint16_t port() const { return server_->port(); }

 private:
  MonotonicClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<lab::Server> server_;
  std::jthread thread_;
};

/// Asks for work and does not wait for the answer.
class Asker {
 public:
  explicit Asker(std::uint16_t port) : easy_(curl_easy_init()) {
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
    curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
    multi_ = curl_multi_init();
    curl_multi_add_handle(multi_, easy_);
    int running = 0;
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(curl_multi_perform(multi_, &running), CURLM_OK);
      std::this_thread::sleep_for(2ms);
    }
    EXPECT_EQ(running, 1);
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() {
    curl_multi_remove_handle(multi_, easy_);
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }

 private:
  CURL* easy_;
  CURLM* multi_;
};

class EmulatorTest : public testing::Test {
 protected:
  EmulatorConfig config() const {
    EmulatorConfig config;
    config.zero_ns = 1000 * kSecondNs;
    config.fleet.pods_at_start = config.fleet.pods_min = 1;
    config.addresses = {"127.0.0.1:{}", pod_.port() - 1U};
    return config;
  }

  /// Lets 300 s of the rules' clock pass.
  nlohmann::json run(EmulatorConfig config) {
    Emulator emulator(config, [this](const FleetEvent& event) {
      told_.push_back(std::string(to_word(event.kind)) + " " + std::to_string(event.pod));
    });
    std::int64_t now = config.zero_ns - Emulator::kLeadNs;
    for (int second = -20; second < 280; ++second, now += kSecondNs) {
      last_line_ = emulator.sample(now);
      emulator.step(now);
      if (second % 20 == 0) std::this_thread::sleep_for(2ms);  // readings of the pod differ
    }
    return emulator.figures(now);
  }

  ServedPod pod_;
  std::vector<std::string> told_;
  nlohmann::json last_line_;
};

TEST_F(EmulatorTest, BusyPodMakesMachinesAndPodsCome) {
  const Asker asker(pod_.port());
  const auto figures = run(config());
  ASSERT_GE(told_.size(), 2U);
  EXPECT_NE(std::ranges::find(told_, "pod-starting 2"), told_.end());
  EXPECT_NE(std::ranges::find(told_, "pod-ready 2"), told_.end());
  EXPECT_EQ(figures["events"].size(), told_.size());
  EXPECT_EQ(figures["samples"].size(), 300U);
  EXPECT_EQ(figures["samples"][100]["busy"], 1);
  EXPECT_GT(figures["samples"][100]["cpu"], 0.9);
  EXPECT_GT(figures["unread"], 0) << "the new pod is nowhere";
}

TEST_F(EmulatorTest, IdlePodChangesNothing) {
  const auto figures = run(config());
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(figures["unread"], 0);
  EXPECT_NEAR(figures["node_seconds"].get<double>(), 280, 1e-6);
  EXPECT_EQ(figures["samples"][0]["t_s"], -20);
}

TEST_F(EmulatorTest, ExportedLoadMakesPodsComeToAnIdlePod) {
  EmulatorConfig loaded = config();
  loaded.fleet.hpa.rps_target = 27.4;
  loaded.status_command = {"echo", R"({"arrivals_rps": 500})"};
  run(loaded);
  EXPECT_FALSE(told_.empty());
  EXPECT_EQ(last_line_["arrivals_rps"], 500);
}

TEST_F(EmulatorTest, LoadThatIsNotExportedIsNotSeen) {
  EmulatorConfig blind = config();
  blind.fleet.hpa.rps_target = 27.4;
  blind.cpu_only = true;
  blind.status_command = {"echo", R"({"arrivals_rps": 500})"};
  run(blind);
  EXPECT_TRUE(told_.empty());
}

TEST_F(EmulatorTest, FixedFleetStays) {
  const Asker asker(pod_.port());
  EmulatorConfig fixed = config();
  fixed.fixed = true;
  run(fixed);
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace flare::eval
