#include "trust/catalogue.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include "discovery/yaml_fields.h"
#include "discovery/yaml_values.h"

namespace flare::trust {
namespace {

constexpr std::array<std::string_view, 7> kOrder = {
    "packets", "fuzz", "configuration", "runtime", "security", "kernels", "load"};
constexpr std::string_view kPatternWords = "tests as PROGRAM:Suite.Test, with * and ?";

Field text_field(std::string_view name, std::string_view accepted, std::string& target,
                 Problems& problems, std::string_view required = {}) {
  return {name,
          [accepted, &target, &problems](const YamlNode& node, const std::string& key) {
            if (auto text = read_text(node, key, accepted, problems)) target = *std::move(text);
          },
          required};
}

void read_pattern(const YamlNode& node, const std::string& key, std::vector<TestPattern>& list,
                  Problems& problems) {
  const auto text = read_text(node, key, kPatternWords, problems);
  if (!text) return;
  const std::size_t colon = text->find(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == text->size()) {
    problems.refuse(node.place, key, in_quotes(*text), kPatternWords);
    return;
  }
  list.push_back({text->substr(0, colon), text->substr(colon + 1), node.place.line});
}

void read_figure(const YamlNode& node, const std::string& key, std::vector<Figure>& list,
                 Problems& problems) {
  constexpr std::string_view kSum = "sum ";
  auto text = read_text(node, key, "the key of a property, or \"sum KEY\"", problems);
  if (!text) return;
  const bool sum = text->starts_with(kSum);
  list.push_back({sum ? text->substr(kSum.size()) : *text, sum, node.place.line});
}

void read_entry(const YamlNode& node, const std::string& key, std::vector<Entry>& entries,
                Problems& problems) {
  Entry entry;
  entry.line = node.place.line;
  const FieldReader tests = [&](const YamlNode& list, const std::string& name) {
    read_items(
        list, name,
        [&](const YamlNode& item, const std::string& item_key) {
          read_pattern(item, item_key, entry.tests, problems);
        },
        problems);
  };
  const FieldReader figures = [&](const YamlNode& list, const std::string& name) {
    read_items(
        list, name,
        [&](const YamlNode& item, const std::string& item_key) {
          read_figure(item, item_key, entry.figures, problems);
        },
        problems);
  };
  read_fields(node, key,
              {text_field("id", "an id as P1", entry.id, problems, "an id as P1"),
               text_field("fault", "text", entry.fault, problems, "what happens"),
               text_field("expected", "text", entry.expected, problems, "what must come of it"),
               {"tests", tests, {}},
               {"figures", figures, {}},
               text_field("open", "the reason", entry.open, problems)},
              problems);
  const bool told = std::any_of(node.entries.begin(), node.entries.end(), [](const auto& each) {
    return each.key.text == "tests" || each.key.text == "open";
  });
  if (told && entry.tests.empty() == entry.open.empty()) {
    problems.refuse(node.place, key, entry.open.empty() ? "no test" : "tests and open",
                    "tests, or open with the reason");
  } else if (!told) {
    problems.refuse(node.place, key, "neither tests nor open", "one of them");
  }
  entries.push_back(std::move(entry));
}

/// The place of a block on the page.
std::size_t rank(const std::string& name) {
  return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), name) - kOrder.begin());
}

Result<void> refuse_repeated_ids(const std::vector<Block>& blocks) {
  std::map<std::string, const Block*> seen;
  for (const Block& block : blocks)
    for (const Entry& entry : block.entries) {
      const auto [first, is_new] = seen.emplace(entry.id, &block);
      if (!is_new)
        return Error(block.file + ":" + std::to_string(entry.line) + ": id: found " + entry.id +
                     " a second time, after " + first->second->file);
    }
  return {};
}

}  // namespace

Result<Block> parse_block(std::string_view text, const std::string& file) {
  Problems problems;
  Block block;
  block.file = file;
  const auto root = parse_yaml(text, problems);
  if (root) {
    const FieldReader entries = [&](const YamlNode& list, const std::string& name) {
      read_items(
          list, name,
          [&](const YamlNode& item, const std::string& key) {
            read_entry(item, key, block.entries, problems);
          },
          problems);
    };
    read_fields(*root, "",
                {text_field("block", "a word", block.name, problems, "the block's name"),
                 text_field("title", "text", block.title, problems, "the block's title"),
                 text_field("target", "text", block.target, problems, "what is to be reached"),
                 {"entries", entries, "a list of faults"}},
                problems);
    if (problems.empty() && block.name != std::filesystem::path(file).stem())
      problems.refuse(root->place, "block", in_quotes(block.name), "the name of the file");
  }
  if (problems.empty()) return block;
  std::string message;
  for (const Problem& problem : problems.take())
    message += (message.empty() ? "" : "\n") + to_text(problem, file);
  return Error(message);
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Error("cannot read " + path.string());
  return text;
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory,
                                            std::string_view extension) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator(directory, none))
    if (file.path().extension() == extension) files.push_back(file.path());
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::vector<Block>> read_catalogue(const std::filesystem::path& directory) {
  std::vector<Block> blocks;
  for (const auto& path : files_of(directory, ".yaml")) {
    const auto text = read_file(path);
    if (!text) return text.error();
    auto block = parse_block(*text, path.string());
    if (!block) return block.error();
    blocks.push_back(*std::move(block));
  }
  if (blocks.empty()) return Error("no block of the catalogue in " + directory.string());
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return rank(a.name) < rank(b.name); });
  if (const auto unique = refuse_repeated_ids(blocks); !unique) return unique.error();
  return blocks;
}

}  // namespace flare::trust
