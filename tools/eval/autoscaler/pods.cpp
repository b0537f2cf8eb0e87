#include "eval/autoscaler/pods.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace flare::eval {
namespace {

std::size_t append(const char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

}  // namespace

Result<PodStats> parse_stats(const std::string& json) {
  const auto stats = nlohmann::json::parse(json, nullptr, false);
  if (!stats.is_object()) return Error("/stats is no JSON object");
  for (const char* key : {"slots", "busy", "waiting", "busy_ns", "now_ns"}) {
    if (!stats.contains(key) || !stats[key].is_number_unsigned()) {
      return Error(std::string("/stats: '") + key + "' is missing or no whole number");
    }
  }
  return PodStats{stats["slots"], stats["busy"], stats["waiting"], stats["busy_ns"],
                  stats["now_ns"]};
}

std::optional<double> cpu_between(const PodStats& before, const PodStats& now) {
  if (now.now_ns <= before.now_ns || now.slots == 0) return std::nullopt;
  const auto busy = static_cast<double>(now.busy_ns - before.busy_ns);
  const auto room = static_cast<double>(now.now_ns - before.now_ns) * now.slots;
  return std::clamp(busy / room, 0.0, 1.0);
}

std::string PodAddresses::of(std::uint32_t pod) const {
  std::string text = endpoint;
  const std::size_t at = text.find("{}");
  if (at != std::string::npos) text.replace(at, 2, std::to_string(offset + pod));
  return text;
}

PodReader::PodReader(PodAddresses addresses)
    : addresses_(std::move(addresses)), easy_(curl_easy_init()) {}

Result<PodStats> PodReader::read(std::uint32_t pod) {
  const std::string url = "http://" + addresses_.of(pod) + "/stats";
  std::string body;
  CURL* easy = easy_.get();
  if (easy == nullptr) return Error("libcurl has no handle");
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 500L);
  curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 64L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) return Error(url + ": " + curl_easy_strerror(code));
  auto stats = parse_stats(body);
  if (!stats) return stats.error().within(url);
  return stats;
}

}  // namespace flare::eval
