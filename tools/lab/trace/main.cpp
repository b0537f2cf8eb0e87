// flare-trace: finds the onset of a trace's spike and writes the scaled rates around it.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/rate_file.h"
#include "common/text_file.h"
#include "trace/window.h"

namespace flare::lab {
namespace {

struct Options {
  WindowConfig window;
  std::string trace;
  std::string rates;
  std::string about;
};

void describe(CLI::App& app, Options& options) {
  WindowConfig& window = options.window;
  app.add_option("--trace", options.trace, "file of `second,requests` lines")->required();
  app.add_option("--rates", options.rates, "file for the scaled rates")->required();
  app.add_option("--about", options.about, "file for the onset and the scale (JSON)");
  app.add_option("--calm-rps", window.calm_rps, "what the calm median is scaled to")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--calm-seconds", window.calm_seconds, "length of the calm part in front")
      ->capture_default_str();
  app.add_option("--before", window.before, "seconds before the onset")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--after", window.after, "seconds from the onset on")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--smooth", window.smooth, "moving mean of so many seconds (odd)")
      ->capture_default_str();
}

Result<void> cut(const Options& options) {
  auto trace = read_rate_file(options.trace);
  if (!trace) return trace.error();
  auto window = cut_window(*trace, options.window);
  if (!window) return window.error().within(options.trace);
  const nlohmann::json about = to_json(*window);
  auto written = write_rate_file(options.rates, window->rates, about.dump());
  if (!written) return written.error();
  std::cout << about.dump() << '\n';
  if (options.about.empty()) return {};
  return write_text_file(options.about, about.dump(1) + "\n");
}

}  // namespace
}  // namespace flare::lab

int main(int argc, char** argv) {
  CLI::App app("Cuts a window around a trace's spike and scales its rates; time is kept");
  flare::lab::Options options;
  flare::lab::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  const auto done = flare::lab::cut(options);
  if (done) return 0;
  std::cerr << "flare-trace: " << done.error().message() << '\n';
  return 1;
}
