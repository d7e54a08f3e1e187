#include "src/core/problems.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kPlacesShown = 4;
constexpr std::size_t kTextsShown = 20;

struct Group {
  std::string text;
  std::vector<std::string> places;
};

std::string sentence(const Group& group) {
  const std::size_t shown = std::min(group.places.size(), kPlacesShown);
  std::string places =
      fmt::format("{}", fmt::join(group.places.begin(),
                                  group.places.begin() + static_cast<std::ptrdiff_t>(shown), "; "));
  if (group.places.size() > shown)
    places += fmt::format("; and {} more", group.places.size() - shown);
  return fmt::format("{}: {}", places, group.text);
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
  for (const auto& [place, what] : list_) {
    const auto known = std::ranges::find(groups, what, &Group::text);
    if (known != groups.end()) {
      known->places.push_back(place);
    } else if (groups.size() < kTextsShown) {
      groups.push_back({what, {place}});
    } else {
      ++left_out;
    }
  }
  if (groups.size() == 1) return sentence(groups.front());
  std::string all = fmt::format("{} problems", list_.size());
  for (std::size_t i = 0; i < groups.size(); ++i)
    all += fmt::format("{} ({}) {}", i == 0 ? ":" : ";", i + 1, sentence(groups[i]));
  return left_out == 0 ? all : fmt::format("{}; and {} more", all, left_out);
}

void Problems::raise(ExitCode code) const {
  if (!empty()) throw ProblemsError(code, *this);
}

}  // namespace lockstep
