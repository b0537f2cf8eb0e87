#include "scale/full_maps.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "base/clock.h"
#include "kernel/maps.h"
#include "model/address.h"

namespace flare::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kBatchFlows = 16384;
constexpr std::uint64_t kIdleNs = 10'000'000'000;
constexpr std::uint32_t kPorts = 16384;
constexpr std::uint16_t kFirstPort = 10240;

/// What the kernel has charged for a map.
std::uint64_t bytes_of(int fd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string word; info >> word;) {
    std::uint64_t bytes = 0;
    if (word == "memlock:" && info >> bytes) return bytes;
  }
  throw std::runtime_error("the kernel does not tell what memory a map takes");
}

/// 10.x.y.z
flare_addr client(std::uint32_t number) {
  Address address = *Address::parse("10.0.0.0");
  address.raw.word[3] = htonl(ntohl(address.raw.word[3]) + number);
  return address.raw;
}

/// The reverse entry, then the forward one, which is the order that the datapath inserts them in.
struct Entries {
  std::vector<flare_flow_key> keys;
  std::vector<flare_flow> values;

  void add(const flare_service_key& service, const Maps::BackendEntry& to, std::uint32_t number,
           std::uint64_t seen_ns) {
    const __be16 port = htons(static_cast<std::uint16_t>(kFirstPort + number % kPorts));
    const flare_flow_key forward = {.src = client(number),
                                    .dst = service.addr,
                                    .sport = port,
                                    .dport = service.port,
                                    .proto = service.proto,
                                    .zero = {}};
    const flare_flow_key reverse = {.src = to.backend.addr,
                                    .dst = service.addr,
                                    .sport = to.backend.port,
                                    .dport = port,
                                    .proto = service.proto,
                                    .zero = {}};
    flare_flow flow{};
    flow.created_ns = flow.seen_ns = seen_ns;
    flow.service_id = to.backend.service_id;
    flow.tier = to.backend.tier;
    flow.backend_id = to.id;
    flow.backend_generation = to.backend.generation;
    flow.flags = FLARE_FLOW_COUNTED;
    flow.packets = 1;
    flow.peer = reverse;
    flare_flow back = flow;
    back.peer = forward;
    back.dir = FLARE_DIR_REVERSE;
    back.flags |= FLARE_FLOW_REPLIED;
    keys.insert(keys.end(), {reverse, forward});
    values.insert(values.end(), {back, flow});
  }
};

}  // namespace

nlohmann::json memory_of(const fs::path& pin_dir) {
  const Maps maps = require(Maps::open(pin_dir, Access::kRead));
  nlohmann::json sizes;
  std::uint64_t sum = 0;
  for (const auto& pin : fs::directory_iterator(layout_dir(pin_dir))) {
    const UniqueFd fd(bpf_obj_get(pin.path().c_str()));
    if (!fd || !MapHandle::adopt(UniqueFd(::dup(fd.get())), pin.path().filename())) continue;
    const std::uint64_t bytes = bytes_of(fd.get());
    sizes[pin.path().filename().string()] = bytes;
    sum += bytes;
  }
  std::uint64_t tables = 0;
  std::uint64_t table_bytes = 0;
  for (std::uint32_t place = 0; place < maps.tables.handle().max_entries(); ++place) {
    std::uint32_t id = 0;
    if (!maps.tables.handle().lookup(&place, &id) || id == 0) continue;
    const UniqueFd fd(bpf_map_get_fd_by_id(id));
    if (!fd) throw std::runtime_error("cannot open a selection table");
    table_bytes += bytes_of(fd.get());
    ++tables;
  }
  return {{"maps", sizes},
          {"maps_bytes", sum},
          {"selection_tables", tables},
          {"selection_tables_bytes", table_bytes}};
}

nlohmann::json fill_flows(const fs::path& pin_dir, std::uint32_t count) {
  const Maps maps = require(Maps::open(pin_dir, Access::kReadWrite));
  std::vector<flare_service_key> keys(maps.services_max());
  require(maps.services.for_each(
      [&keys](const flare_service_key& key, const flare_service& value) { keys[value.id] = key; }));
  std::vector<Maps::BackendEntry> backends = require(maps.backend_entries());
  std::erase_if(backends, [](const auto& entry) { return entry.backend.tier != FLARE_TIER_VM; });
  if (backends.empty()) throw std::runtime_error("there is no VM backend");
  if (count / kPorts >= backends.size()) throw std::runtime_error("too many flows");
  const std::uint64_t seen_ns = MonotonicClock().now_ns() - kIdleNs;
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  for (std::uint32_t from = 0; from < count; from += kBatchFlows) {
    Entries batch;
    for (std::uint32_t n = from; n < std::min(count, from + kBatchFlows); ++n) {
      const Maps::BackendEntry& to = backends[n % backends.size()];
      batch.add(keys[to.backend.service_id], to, n, seen_ns);
    }
    auto written = static_cast<__u32>(batch.keys.size());
    if (bpf_map_update_batch(maps.flows.handle().fd(), batch.keys.data(), batch.values.data(),
                             &written, &options) != 0) {
      throw std::runtime_error(std::string("cannot record flows: ") + std::strerror(errno));
    }
  }
  return {{"flows", count}, {"entries", require(maps.flows.count())}};
}

}  // namespace flare::bench
