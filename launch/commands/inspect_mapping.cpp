#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/text/text_mapping.hpp"
#include "launch/commands/inspect_report.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kNamesShown = 10;

/// "'a', 'b', ...".
std::string some_of(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i)
    shown.push_back("'" + printable(names[i], kShownOfCell) + "'");
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kNamesShown ? ", ..." : "");
}

std::string labels_of(const TableMapping& mapping) {
  std::vector<std::string> names;
  for (const LabelMapping& label : mapping.labels) names.push_back(label.name);
  std::string text = names.empty() ? "" : "; label " + some_of(names);
  if (!mapping.classes().empty()) text += " of classes " + some_of(mapping.classes());
  return text;
}

std::string windows_of(const WindowRule& rule) {
  if (rule.length == 0) return "";
  return fmt::format("; windows of {} rows, targets of {}{}", rule.length,
                     rule.horizon == 0 ? "the last row"
                                       : fmt::format("the next {}", rule.horizon),
                     rule.group.empty() ? "" : ", by " + some_of({rule.group}));
}

std::string text_line(const TextMapping& mapping) {
  const auto side = [](Side one) { return one == Side::kPre ? "pre" : "post"; };
  return fmt::format(
      "{}{}, rows of {} (padding {}, truncating {}); {} numbers: 0 padding, 1 unknown, from 2 on "
      "{}{}{}",
      to_text(mapping.rules.unit), mapping.rules.lower ? " in lower case" : "", mapping.length,
      side(mapping.padding), side(mapping.truncating), mapping.numbers(),
      some_of(mapping.vocabulary), mapping.next ? "; targets are the next ones" : "",
      labels_of(mapping.table));
}

}  // namespace

std::string mapping_line(const std::string& json, const std::string& where) {
  if (is_text_mapping(json)) return text_line(text_mapping_from_json(json, where));
  const TableMapping mapping = table_mapping_from_json(json, where);
  return fmt::format("features {}{}{}", some_of(mapping.feature_names()), labels_of(mapping),
                     windows_of(mapping.windows));
}

}  // namespace lockstep
