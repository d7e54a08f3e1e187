#include "src/core/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace lockstep {
namespace {

char lower(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

/// Levenshtein's distance; a letter's case does not count.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string result;
  for (const char letter : text.substr(0, limit)) {
    if (letter >= 0x20 && letter < 0x7f) {
      result += letter;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(letter));
    }
  }
  return text.size() > limit ? result + "..." : result;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  if (known.empty() || word.size() > 64) return "";
  const auto nearest = std::ranges::min_element(
      known, {}, [word](const std::string& candidate) { return edits(word, candidate); });
  return edits(word, *nearest) <= 1 + nearest->size() / 3
             ? fmt::format("; did you mean '{}'?", *nearest)
             : "";
}

}  // namespace lockstep
