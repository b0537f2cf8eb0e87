// What `make scale` asks of a pinned datapath and of the agent's own parts, which a shell cannot:
// the memory of the maps, a table full of flows, and what a turn of the control loop and a pass of
// the sweep take. One command each, one JSON object out.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "scale/full_maps.h"
#include "scale/loop_cost.h"

namespace flare::bench {
namespace {

using nlohmann::json;

/// The answer to `line` at a control socket; "" where there is none.
std::string ask(const std::string& socket, const std::string& line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof(address.sun_path)) throw std::runtime_error("the path is too long");
  socket.copy(address.sun_path, socket.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return "";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer(65536, '\0');
  const auto got = ::recv(fd.get(), answer.data(), answer.size(), 0);
  answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return answer;
}

double unix_s() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Until flared answers and has reloaded `reloads` times; when that was.
json await(const std::string& socket, std::uint64_t reloads, double seconds) {
  for (const double start = unix_s(); unix_s() - start < seconds;) {
    const json answer = json::parse(ask(socket, "{\"command\":\"ping\"}\n"), nullptr, false);
    const bool well = answer.is_object() && answer.value("ok", false);
    if (well && answer["new"].value("reloads", std::uint64_t{0}) >= reloads) {
      return {{"unix_s", unix_s()}, {"reloads", answer["new"]["reloads"]}};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error("flared does not answer at " + socket);
}

int run_main(int argc, char** argv) {
  CLI::App app("what make scale asks of a datapath and of the agent's parts", "flare_scale");
  app.require_subcommand(1);
  std::string place;
  std::uint64_t reloads = 0;
  double seconds = 120;
  std::uint32_t flows = 0;
  CLI::App& waiting = *app.add_subcommand("await", "until flared answers at a control socket");
  waiting.add_option("socket", place)->required();
  waiting.add_option("--reloads", reloads, "and has reloaded so often");
  waiting.add_option("--seconds", seconds, "at most")->capture_default_str();
  CLI::App& reload = *app.add_subcommand("reload", "have flared read its configuration again");
  reload.add_option("socket", place)->required();
  CLI::App& memory = *app.add_subcommand("memory", "bytes of every pinned map");
  memory.add_option("pin_dir", place)->required();
  CLI::App& fill =
      *app.add_subcommand("fill", "fill the table of flows; none of them expires soon");
  fill.add_option("pin_dir", place)->required();
  fill.add_option("flows", flows)->required();
  CLI::App& loop = *app.add_subcommand("loop", "a control tick and a pass of the sweep, no flared");
  loop.add_option("config", place)->required();
  CLI11_PARSE(app, argc, argv);
  json result;
  if (waiting) result = await(place, reloads, seconds);
  if (reload) result = json::parse(ask(place, "{\"command\":\"reload\"}\n"));
  if (memory) result = memory_of(place);
  if (fill) result = fill_flows(place, flows);
  if (loop) result = loop_cost(place);
  std::printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace flare::bench

int main(int argc, char** argv) {
  try {
    return flare::bench::run_main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "flare_scale: %s\n", error.what());
    return 1;
  }
}
