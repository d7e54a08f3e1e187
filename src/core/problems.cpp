#include "src/core/problems.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/core/printable.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPlacesShown = 4;
constexpr std::size_t kTextsShown = 20;

/// Problems of one expectation: what was found, and where.
struct Group {
  struct Found {
    std::string what;
    std::vector<std::string> places;
  };
  std::string expected;
  std::vector<Found> found;
};

std::string joined(const std::vector<std::string>& places) {
  const std::size_t shown = std::min(places.size(), kPlacesShown);
  const auto end = places.begin() + static_cast<std::ptrdiff_t>(shown);
  std::string text = fmt::format("{}", fmt::join(places.begin(), end, "; "));
  if (places.size() > shown) text += fmt::format("; and {} more", places.size() - shown);
  return text;
}

std::string sentence(const Group& group) {
  if (group.found.size() == 1)
    return fmt::format("{}: {}{}", joined(group.found[0].places), group.expected,
                       group.found[0].what);
  std::string text = group.expected;
  for (const auto& [what, places] : group.found)
    text += fmt::format("{} at {}", what, joined(places));
  return text;
}

/// "expected a number" and ", got 'x'" of "expected a number, got 'x'".
std::pair<std::string, std::string> cut(const std::string& text) {
  const std::size_t at = std::min(text.rfind(", got "), text.size());
  return {text.substr(0, at), text.substr(at)};
}

}  // namespace

void Problems::add(std::string place, std::string text) {
  list_.emplace_back(std::move(place), std::move(text));
}

void Problems::add(const Problems& others) {
  list_.insert(list_.end(), others.list_.begin(), others.list_.end());
}

std::string Problems::text() const {
  std::vector<Group> groups;
  std::size_t left_out = 0;
  for (const auto& [place, problem] : list_) {
    const auto [expected, found] = cut(problem);
    auto group = std::ranges::find(groups, expected, &Group::expected);
    if (group == groups.end() && groups.size() == kTextsShown) {
      ++left_out;
      continue;
    }
    if (group == groups.end()) group = groups.insert(groups.end(), Group{expected, {}});
    const auto known = std::ranges::find(group->found, found, &Group::Found::what);
    if (known != group->found.end()) {
      known->places.push_back(place);
    } else {
      group->found.push_back({found, {place}});
    }
  }
  if (list_.size() == 1) return sentence(groups.front());
  std::string all = fmt::format("{} problems", list_.size());
  for (std::size_t i = 0; i < groups.size(); ++i)
    all += groups.size() == 1
               ? ": " + sentence(groups[i])
               : fmt::format("{} ({}) {}", i == 0 ? ":" : ";", i + 1, sentence(groups[i]));
  return left_out == 0 ? all : fmt::format("{}; and {} more", all, left_out);
}

std::string without_where(const std::exception& error) {
  const std::string text = error.what();
  const std::size_t end = text.starts_with('[') ? text.find("] ") : std::string::npos;
  return printable(end == std::string::npos ? text : text.substr(end + 2));
}

void Problems::throw_if_any(ExitCode code) const {
  if (!empty()) throw ProblemsError(code, *this);
}

}  // namespace lockstep
