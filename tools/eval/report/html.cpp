// The report as one page: no script, nothing from elsewhere. It is well-formed XML as well as HTML.
#include <algorithm>
#include <cctype>
#include <iterator>

#include "eval/report/paper.h"
#include "eval/report/report.h"
#include "eval/report/style.h"
#include "report/svg.h"

namespace flare::eval {
namespace {

using lab::escaped;

constexpr std::string_view kUnits[] = {"%", "ms", "s", "USD"};

/// Whether a unit stands at the beginning of `text`.
bool begins_with_unit(std::string_view text) {
  const std::string_view word = text.substr(0, text.find_first_of(" ,;()"));
  return std::ranges::find(kUnits, word) != std::end(kUnits);
}

/// The text escaped, with figures kept on one line with their units.
std::string unbroken(std::string_view text) {
  std::string kept;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool after_digit = i > 0 && std::isdigit(static_cast<unsigned char>(text[i - 1])) != 0;
    if (text[i] == ' ' && after_digit && begins_with_unit(text.substr(i + 1))) {
      kept += "&#160;";
    } else {
      kept += escaped(text.substr(i, 1));
    }
  }
  return kept;
}

/// `<name more>text</name>`.
std::string element(const std::string& name, std::string_view text, const std::string& more = "") {
  return "<" + name + (more.empty() ? "" : " " + more) + ">" + unbroken(text) + "</" + name + ">";
}

/// A cell's name, which may break after its dots alone.
std::string cell_html(const std::string& name) {
  std::string html = "<code>";
  for (const char letter : name) html += letter == '.' ? ".<wbr/>" : escaped({&letter, 1});
  return html + "</code>";
}

std::string class_of(std::string_view text) {
  if (text == to_word(Verdict::kPass)) return "class=\"pass\"";
  if (text == to_word(Verdict::kFail) || text.starts_with("VOID")) return "class=\"fail\"";
  if (text == to_word(Verdict::kNotMeasured) || text.starts_with("missing:")) {
    return "class=\"unmeasured\"";
  }
  return "";
}

std::string head_of(const std::vector<std::string>& columns) {
  std::string html = "<thead><tr>";
  for (const std::string& column : columns) html += element("th", column, "scope=\"col\"");
  return html + "</tr></thead>\n";
}

std::string grid_of(const Table& table) {
  std::string html = "<div class=\"wide\"><table>\n";
  const bool headless = !table.columns.empty() && table.columns.front().empty();
  if (!headless) html += head_of(table.columns);
  html += "<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      html +=
          i == 0 ? element("th", row[i], "scope=\"row\"") : element("td", row[i], class_of(row[i]));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string table_html(const Table& table) {
  std::string html = element("h3", table.title) + "\n";
  if (!table.note.empty()) html += element("p", table.note, "class=\"note\"") + "\n";
  return html + grid_of(table);
}

std::string verdict_html(Verdict verdict, const std::string& more = "") {
  const std::string_view word = to_word(verdict);
  return element("td", word, class_of(word) + (more.empty() ? "" : " " + more));
}

std::string part_html(const Part& part) {
  return "<td>" + cell_html(part.cell.name()) + "</td>" + element("td", part.words) +
         verdict_html(part.verdict);
}

std::string target_html(const Target& target) {
  const std::string rows = "rowspan=\"" + std::to_string(target.parts.size()) + "\"";
  std::string html = "<tr>" + element("th", target.id, "scope=\"row\" " + rows) + "<td " + rows +
                     ">" + escaped(target.measure) + element("small", target.how) + "</td>" +
                     element("td", target.paper, rows) + element("td", target.ours, rows) +
                     verdict_html(target.verdict(), rows);
  bool first = true;
  for (const Part& part : target.parts) {
    html += (first ? "" : "<tr>") + part_html(part) + "</tr>\n";
    first = false;
  }
  return html;
}

std::string targets_html(const std::vector<Target>& targets) {
  std::string html =
      "<h2 id=\"targets\">What the evaluation must show</h2>\n" +
      element(
          "p",
          "Each measure with the paper's figure, our target, and what each cell has to say. A "
          "target fails where one of its cells fails, and is not measured where one of them "
          "has no valid run. Figures are the median run's; least and most of the valid runs are in "
          "brackets.",
          "class=\"note\"") +
      "\n<div class=\"wide\"><table>\n" +
      head_of({"id", "measure", "the paper", "target", "verdict", "cell", "measured", "of it"}) +
      "<tbody>\n";
  for (const Target& target : targets) html += target_html(target);
  return html + "</tbody></table></div>\n";
}

std::string plot_html(const Plot& plot) {
  return "<figure>\n" + element("h3", plot.title) + "\n" + element("figcaption", plot.caption) +
         "\n" + plot.svg + "</figure>\n";
}

std::string section_html(const Section& section) {
  const std::string name = section.group.group();
  std::string html = element("h2", title_of(section.group), "id=\"" + escaped(name) + "\"") +
                     "\n<p>" + unbroken(sentence_of(section.group)) + " Cells " +
                     element("code", name + ".*") + ".</p>\n";
  for (const Table& table : section.tables) html += table_html(table);
  if (section.plots.empty()) {
    html += element("p", "No policy has a valid run here: there is nothing to draw.") + "\n";
  }
  for (const Plot& plot : section.plots) html += plot_html(plot);
  return html;
}

std::string link(const std::string& id, std::string_view words) {
  return "<li><a href=\"#" + escaped(id) + "\">" + escaped(words) + "</a></li>\n";
}

std::string contents_html(const Report& report) {
  std::string html = "<nav><ul>\n" + link("targets", "What the evaluation must show: T1 to T11") +
                     link("paper", "The paper's figures and ours");
  for (const Section& section : report.sections) {
    html += link(section.group.group(), title_of(section.group));
  }
  if (report.simulation) html += link("simulation", "Simulation");
  return html + link("policies", "The policies") + link("computed", "How figures are computed") +
         link("runs", "Every run, and prices") + "</ul></nav>\n";
}

std::string introduction_html(const Report& report) {
  return "<h1>Evaluation of Flare</h1>\n" +
         element(
             "p",
             "A load spike, cut out of a real trace, is sent through a load balancer to VMs that "
             "can hardly serve it. An autoscaler adds more, which takes minutes; meanwhile a "
             "policy "
             "may send requests to serverless functions, which start at once and cost more. Each "
             "run "
             "is one policy under one load: how late were the answers, and what did it cost?") +
         "\n" +
         element("p", "Beside ours stand the figures of the paper: " + std::string(paper::kTitle) +
                          ".") +
         "\n" + grid_of(report.facts);
}

std::string policies_html() {
  Table table = {"policies", "", "", {"policy", "name in cells", "what it does"}, {}};
  for (const Policy& policy : policies()) {
    table.rows.push_back(
        {std::string(policy.label), std::string(policy.name), std::string(policy.meaning)});
  }
  return "<h2 id=\"policies\">The policies</h2>\n" + grid_of(table);
}

std::string simulation_html(const Simulation& simulation) {
  std::string html = "<h2 id=\"simulation\">Simulation</h2>\n" +
                     element("p", "Not measured but simulated, at commit " + simulation.commit +
                                      " with seeds " + simulation.seeds + ".") +
                     "\n";
  for (const Table& table : simulation.tables) html += table_html(table);
  return html;
}

std::string definitions_html() {
  std::string html = "<h2 id=\"computed\">How figures are computed</h2>\n<ul>\n";
  for (const std::string& item : definitions()) html += element("li", item) + "\n";
  return html + "</ul>\n";
}

std::string opening_html() {
  return "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
         "<meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<title>Evaluation of Flare</title>\n<style>" +
         std::string(kStyle) + "</style>\n</head>\n<body>\n";
}

}  // namespace

std::string html_of(const Report& report) {
  std::string html = opening_html() + introduction_html(report) + contents_html(report) +
                     targets_html(report.targets);
  if (!report.missing.rows.empty()) html += table_html(report.missing);
  html += "<h2 id=\"paper\">The paper's figures and ours</h2>\n";
  for (const Table& table : report.paper) html += table_html(table);
  for (const Section& section : report.sections) html += section_html(section);
  if (report.simulation) html += simulation_html(*report.simulation);
  html += policies_html() + definitions_html() + "<h2 id=\"runs\">Every run, and prices</h2>\n" +
          table_html(report.price_list) + table_html(report.runs);
  return html + "</body>\n</html>\n";
}

}  // namespace flare::eval
