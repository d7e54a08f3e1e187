#include "io/table/header.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "io/table/dates.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostRows = 1000;  // that are looked at
constexpr std::size_t kEnoughRows = 5;   // to believe that numbers are far from all below

bool is_date(std::string_view cell) {
  return parse_date(cell, DateOrder::kYearMonthDay) || parse_date(cell, DateOrder::kDayMonthYear) ||
         parse_date(cell, DateOrder::kMonthDayYear);
}

/// What stands below a cell of the first line.
struct Below {
  std::size_t numbers = 0;
  std::size_t dates = 0;
  std::size_t words = 0;
  double low = 0;
  double high = 0;
  bool has_the_same = false;  ///< as the cell above
  std::size_t distinct = 0;   ///< words

  bool mostly_values() const { return numbers + dates > words; }
};

Below look_below(std::size_t column, const std::string& above, const RowsBelow& below,
                 const CellFormat& format) {
  Below found;
  std::vector<std::string_view> words;
  for (std::size_t row = 0; row < std::min(below.rows, kMostRows); ++row) {
    const std::string_view cell = below.cell(row, column);
    if (format.is_missing(cell)) continue;
    found.has_the_same = found.has_the_same || cell == above;
    if (const std::optional<double> number = format.wide_number(cell)) {
      found.low = found.numbers == 0 ? *number : std::min(found.low, *number);
      found.high = found.numbers == 0 ? *number : std::max(found.high, *number);
      ++found.numbers;
    } else if (is_date(cell)) {
      ++found.dates;
    } else {
      words.push_back(cell);
    }
  }
  found.words = words.size();
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  found.distinct = words.size();
  return found;
}

/// A number in the first line and the numbers below it.
struct Pair {
  double above = 0;
  Below below;

  /// Farther from all below than these are from each other.
  bool is_far() const {
    const double spread = below.high - below.low;
    return above < below.low - spread || above > below.high + spread;
  }
};

bool is_year(double value) {
  return value >= 1800 && value <= 2200 && value == std::floor(value);
}

/// Rising integers, none of which is within the range of what is below.
bool are_unusual_integers(const std::vector<Pair>& pairs) {
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [above, below] = pairs[i];
    const bool integer = above == std::floor(above);
    const bool inside = above >= below.low && above <= below.high;
    if (!integer || inside || (i > 0 && above <= pairs[i - 1].above)) return false;
  }
  return pairs.size() > 1;
}

/// Whether numbers above numbers are names of columns.
HeaderVerdict numbers_are_names(const std::vector<Pair>& pairs, const RowsBelow& below) {
  const std::size_t n = pairs.size();
  const auto all = [&](const auto& test) { return std::all_of(pairs.begin(), pairs.end(), test); };
  const double first = pairs.front().above;
  const double step = n > 1 ? pairs[1].above - first : 0;
  bool even = step != 0;
  bool rising = true;
  for (std::size_t i = 1; i < n; ++i) {
    even = even && pairs[i].above - pairs[i - 1].above == step;
    rising = rising && pairs[i].above > pairs[i - 1].above;
  }
  const bool far = all([](const Pair& pair) { return pair.is_far(); });
  const bool years = all([](const Pair& pair) { return is_year(pair.above); });
  // Rows that count on (0,1,2 / 3,4,5) are data.
  const bool counts_on = even && all([&](const Pair& pair) {
                           return pair.below.low == pair.above + static_cast<double>(n) * step;
                         });
  if (counts_on || n < 2) return HeaderVerdict::kNo;
  if (rising && far && below.rows > 1) {
    if (years || (n > 2 && (even || below.rows >= kEnoughRows))) return HeaderVerdict::kYes;
  }
  if (even && first == 0 && step == 1) {  // as pandas
    const bool usual = all([](const Pair& pair) { return pair.below.has_the_same; });
    return n > 4 || !usual ? HeaderVerdict::kYes : HeaderVerdict::kCannotTell;
  }
  return n > 4 && even ? HeaderVerdict::kCannotTell : HeaderVerdict::kNo;
}

}  // namespace

HeaderVerdict is_header(std::span<const std::string> first, const RowsBelow& below,
                        const CellFormat& format) {
  std::size_t words_above_values = 0;
  std::size_t values_above_words = 0;
  std::size_t words_above_words = 0;
  bool comes_again = false;
  bool repeats = false;  // a column of words has fewer words than rows
  std::vector<Pair> pairs;
  for (std::size_t column = 0; column < first.size(); ++column) {
    const std::string& above = first[column];
    if (format.is_missing(above)) continue;
    const Below found = look_below(column, above, below, format);
    const std::optional<double> number = format.wide_number(above);
    if (number && found.mostly_values()) {
      pairs.push_back({*number, found});
    } else if (found.mostly_values() && is_date(above)) {
      ++values_above_words;  // a date above dates: a row like the others
    } else if (found.mostly_values()) {
      // A word that is below as well is a mark of missing values.
      ++(found.has_the_same ? values_above_words : words_above_values);
    } else if (!number && found.words > 0) {
      ++words_above_words;
      comes_again = comes_again || found.has_the_same;
      repeats = repeats || found.distinct < found.words;
    }
  }
  const HeaderVerdict names = pairs.empty() ? HeaderVerdict::kYes : numbers_are_names(pairs, below);
  if (words_above_values > 0) {
    if (values_above_words > 0) return HeaderVerdict::kCannotTell;
    // "a, 1, 2": numbers may be names among names, but not if they look like a row's.
    const bool like_a_row = names == HeaderVerdict::kNo && pairs.size() >= words_above_values;
    return like_a_row && !are_unusual_integers(pairs) ? HeaderVerdict::kCannotTell
                                                      : HeaderVerdict::kYes;
  }
  if (values_above_words > 0) return HeaderVerdict::kNo;
  if (!pairs.empty()) return comes_again ? HeaderVerdict::kNo : names;
  if (words_above_words == 0 || comes_again) return HeaderVerdict::kNo;
  return repeats ? HeaderVerdict::kYes : HeaderVerdict::kCannotTell;
}

}  // namespace lockstep
