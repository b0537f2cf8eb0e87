#include "host/secret.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "host/small_file.h"

namespace flare {
namespace {

constexpr std::size_t kWordDigits = 16;
constexpr std::size_t kFileBytes = 256;

std::optional<HashKey> parse(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.size() != 2 * kWordDigits) return std::nullopt;
  HashKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char* start = text.data() + i * kWordDigits;
    const auto [stop, fault] = std::from_chars(start, start + kWordDigits, key[i], 16);
    if (fault != std::errc{} || stop != start + kWordDigits) return std::nullopt;
  }
  return key;
}

std::string to_hex(const HashKey& key) {
  std::array<char, 2 * kWordDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(key[0]),
                static_cast<unsigned long long>(key[1]));
  return text.data();
}

/// Who can read the secret can choose flows that hash alike.
Result<void> is_for_owner_alone(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return Error::from_errno("cannot read the mode of '" + path.string() + "'", errno);
  }
  if ((status.st_mode & 077) == 0) return {};
  return Error("others than its owner may read '" + path.string() +
               "': chmod 0600, or remove it where somebody may have (a new secret moves flows)");
}

}  // namespace

Result<HashKey> fresh_hash_key() {
  HashKey key{};
  if (::getrandom(key.data(), sizeof(key), 0) != static_cast<ssize_t>(sizeof(key))) {
    return Error::from_errno("cannot get random bytes", errno);
  }
  return key;
}

Result<HashKey> hash_key_from(const std::filesystem::path& path) {
  auto text = read_small_file(path, kFileBytes);
  if (!text) return text.error();
  if (*text) {
    auto ours = is_for_owner_alone(path);
    if (!ours) return ours.error();
    const auto key = parse(**text);
    if (key) return *key;
    return Error("'" + path.string() + "' is not a key of 32 hex digits; restore or remove it");
  }
  auto key = fresh_hash_key();
  if (!key) return key;
  auto kept = keep_hash_key(path, *key);
  if (!kept) return kept.error();
  return key;
}

Result<void> keep_hash_key(const std::filesystem::path& path, const HashKey& key) {
  auto text = read_small_file(path, kFileBytes);
  if (text && *text && parse(**text) == key) return {};
  return replace_file(path, to_hex(key) + "\n", 0600);
}

}  // namespace flare
