// Which files are trusted with a configuration.
#include "discovery/file_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flare {
namespace {

class TrustedFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flare-file-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "flare.yaml";
    write("interfaces: []\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view text) const {
    std::ofstream(path_) << text;
    ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  }
  std::string fault(const FileRules& rules) const {
    const auto text = read_trusted_file(path_, rules);
    return text ? "" : text.error().message();
  }
  static FileRules mine() { return {::geteuid(), 64}; }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(TrustedFile, IsReadWhole) {
  const auto text = read_trusted_file(path_, mine());
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text, "interfaces: []\n");
}

TEST_F(TrustedFile, IsRefusedWhereOthersMayWrite) {
  for (const mode_t mode : {0664U, 0646U, 0666U}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    EXPECT_NE(fault(mine()).find("chmod go-w"), std::string::npos) << mode;
  }
}

TEST_F(TrustedFile, IsRefusedOfAnotherOwner) {
  EXPECT_NE(fault({::geteuid() + 1, 64}).find("accepted: owner uid"), std::string::npos);
}

TEST_F(TrustedFile, IsRefusedEmptyOrTooLarge) {
  write("");
  EXPECT_NE(fault(mine()).find("an empty file"), std::string::npos);
  write(std::string(65, 'x'));
  EXPECT_NE(fault(mine()).find("65 bytes; accepted: at most 64"), std::string::npos);
}

TEST_F(TrustedFile, IsRefusedWhereItIsNoRegularFile) {
  path_ = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(fault(mine()).find("no regular file"), std::string::npos);
  path_ = folder_;
  EXPECT_NE(fault(mine()).find("no regular file"), std::string::npos);
  path_ = "/dev/null";
  EXPECT_NE(fault({0, 64}).find("no regular file"), std::string::npos);
}

TEST_F(TrustedFile, IsRefusedWhereItIsMissing) {
  path_ = folder_ / "none";
  EXPECT_NE(fault(mine()).find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace flare
