// Runs flarectl in this process on maps that were filled by hand.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "filled_maps.h"
#include "flarectl/cli.h"
#include "flarectl/context.h"
#include "kernel_test.h"

namespace flare::ctl {

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
  Json json() const { return Json::parse(out); }
};

/// Runs `flarectl <line>`; words are parted by blanks.
inline Ran run_line(const std::string& line) {
  std::vector<std::string> words{"flarectl"};
  std::istringstream text(line);
  for (std::string word; text >> word;) words.push_back(word);
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

/// The real objects loaded, attached to fc0 in tc and to fc1 in XDP, the maps filled.
class FlarectlTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto datapath = Datapath::load(options_);
    ASSERT_OK(datapath);
    datapath_.emplace(*std::move(datapath));
    ASSERT_OK(datapath_->attach({.name = "fc0"}));
    ASSERT_OK(datapath_->attach({.name = "fc1", .mode = FLARE_ATTACH_XDP}));
    ASSERT_TRUE(fill(maps()));
  }
  void TearDown() override {
    datapath_.reset();
    KernelTest::TearDown();
  }
  const Maps& maps() const { return datapath_->maps(); }
  Ran flarectl(const std::string& line) const {
    return run_line("--pin-dir " + pin_dir_.string() + " --socket /run/flare-fc-none.sock " + line);
  }

  std::optional<Datapath> datapath_;
};

}  // namespace flare::ctl
