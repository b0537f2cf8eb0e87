#include "common/rate_file.h"

#include <cmath>
#include <fstream>
#include <string>

#include "common/number.h"

namespace flare::lab {

Result<std::vector<double>> read_rate_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return Error("cannot read " + path.string());
  std::vector<double> rates;
  std::string line;
  bool titled = false;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    if (!titled) {
      titled = true;
      continue;
    }
    const auto comma = line.find(',');
    const std::string_view text = line;
    const auto second = to_number<std::size_t>(text.substr(0, comma));
    const auto value =
        comma == std::string::npos ? std::nullopt : to_number<double>(text.substr(comma + 1));
    if (!second || *second != rates.size() || !value || !std::isfinite(*value) || *value < 0) {
      return Error(path.string() + ":" + std::to_string(number) + ": expected `" +
                   std::to_string(rates.size()) + ",<rate of 0 or more>`, got `" + line + "`");
    }
    rates.push_back(*value);
  }
  if (rates.empty()) return Error(path.string() + " has no rates");
  return rates;
}

Result<void> write_rate_file(const std::filesystem::path& path, const std::vector<double>& rates,
                             std::string_view remark) {
  std::ofstream file(path);
  if (!remark.empty()) file << "# " << remark << '\n';
  file << "second,rate\n";
  for (std::size_t second = 0; second < rates.size(); ++second) {
    file << second << ',' << rates[second] << '\n';
  }
  file.close();
  if (!file) return Error("cannot write " + path.string());
  return {};
}

}  // namespace flare::lab
