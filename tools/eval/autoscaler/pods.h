// What the pods say of themselves: the emulation's kubelet.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace flare::eval {

/// The figures of /stats of a flare-backend that the autoscaler goes by.
struct PodStats {
  std::uint32_t slots = 0;
  std::uint32_t busy = 0;
  std::uint32_t waiting = 0;
  std::uint64_t busy_ns = 0;  ///< slots busy, summed over time
  std::uint64_t now_ns = 0;   ///< of the pod, when it said so
};

/// Reads the JSON of /stats; an error names the key.
Result<PodStats> parse_stats(const std::string& json);

/// Slots busy of those there are, 0 to 1, between two readings of a pod; nothing where no time
/// passed.
std::optional<double> cpu_between(const PodStats& before, const PodStats& now);

/// Where pods listen: "10.20.{}.10:8080" with the pod's number, plus an offset, in place of "{}".
struct PodAddresses {
  std::string endpoint = "10.20.{}.10:8080";
  std::uint32_t offset = 100;

  std::string of(std::uint32_t pod) const;
};

/// Asks pods, one after the other, over connections that stay open.
class PodReader {
 public:
  explicit PodReader(PodAddresses addresses);

  /// Fails where the pod does not answer within 500 ms.
  Result<PodStats> read(std::uint32_t pod);

 private:
  struct Cleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };

  PodAddresses addresses_;
  std::unique_ptr<CURL, Cleanup> easy_;
};

}  // namespace flare::eval
