#include "discovery/file_source.h"

#include "discovery/cross_checks.h"
#include "discovery/sections.h"
#include "discovery/yaml_tree.h"

namespace flare {

Verdict read_config_text(std::string_view text, const HostPorts& host) {
  Problems problems;
  Verdict verdict;
  if (const auto root = parse_yaml(text, problems)) {
    Draft draft = read_sections(*root, problems);
    cross_check(draft, host, problems);
    if (problems.empty()) verdict.config = std::move(draft.config);
  }
  verdict.problems = problems.take();
  return verdict;
}

Verdict read_config_file(const std::filesystem::path& path, const FileRules& rules,
                         const HostPorts& host) {
  auto text = read_trusted_file(path, rules);
  if (!text) return {std::nullopt, {{{}, "", text.error().message()}}};
  return read_config_text(*text, host);
}

std::string to_text(const std::vector<Problem>& problems, std::string_view file) {
  std::string lines;
  for (const Problem& problem : problems) {
    if (!lines.empty()) lines += '\n';
    lines += to_text(problem, file);
  }
  return lines;
}

}  // namespace flare
