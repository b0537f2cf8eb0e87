// The report as markdown.
#include "eval/report/paper.h"
#include "eval/report/report.h"

namespace flare::eval {
namespace {

std::string cell_text(const std::string& words) {
  std::string text;
  for (const char letter : words) {
    if (letter == '|') text += '\\';
    text += letter == '\n' ? ' ' : letter;
  }
  return text;
}

std::string row_text(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell_text(cell) + " |";
  return line + "\n";
}

std::string table_text(const Table& table, const std::string& level) {
  std::string text = level + " " + table.title + "\n\n";
  if (!table.note.empty()) text += table.note + "\n\n";
  text += row_text(table.columns);
  text += row_text(std::vector<std::string>(table.columns.size(), "---"));
  for (const auto& row : table.rows) text += row_text(row);
  return text + "\n";
}

std::string verdicts_text(const std::vector<Target>& targets) {
  std::string text;
  for (const Target& target : targets) {
    text += "- " + target.id + ": **" + std::string(to_word(target.verdict())) + "**. " +
            target.how + "\n";
  }
  return text + "\n";
}

std::string simulation_text(const Simulation& simulation) {
  std::string text =
      "## Simulation\n\nCommit " + simulation.commit + ", seeds " + simulation.seeds + ".\n\n";
  for (const Table& table : simulation.tables) text += table_text(table, "###");
  return text;
}

}  // namespace

std::string text_of(const Report& report) {
  std::string text = "# Evaluation of Flare\n\n" + table_text(report.facts, "##") +
                     table_text(targets_table(report.targets), "##") +
                     verdicts_text(report.targets);
  if (!report.missing.rows.empty()) text += table_text(report.missing, "##");
  text += "## The paper's figures and ours\n\nThe paper: " + std::string(paper::kTitle) + ".\n\n";
  for (const Table& table : report.paper) text += table_text(table, "###");
  for (const Section& section : report.sections) {
    text += "## " + title_of(section.group) + "\n\n" + sentence_of(section.group) + " Cells `" +
            section.group.group() + ".*`.\n\n";
    for (const Table& table : section.tables) text += table_text(table, "###");
  }
  if (report.simulation) text += simulation_text(*report.simulation);
  text += table_text(report.price_list, "##") + "## How figures are computed\n\n";
  for (const std::string& item : definitions()) text += "- " + item + "\n";
  return text + "\n" + table_text(report.runs, "##");
}

}  // namespace flare::eval
