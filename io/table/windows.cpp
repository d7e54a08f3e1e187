#include "io/table/windows.hpp"

#include <algorithm>
#include <utility>

#include "io/data/sample_order.hpp"

namespace lockstep {
namespace {

/// Where the parts of one series begin.
struct Cuts {
  std::int64_t validation = 0;
  std::int64_t test = 0;
};

/// A series too short to be cut is for training.
std::int64_t cut(std::int64_t rows, double fraction) {
  const bool is_cut = fraction > 0 && static_cast<double>(rows) * (1 - fraction) >= 1;
  return is_cut ? training_rows(rows, fraction) : rows;
}

Cuts cuts_of(std::int64_t rows, double validation, double test_last) {
  const std::int64_t test = cut(rows, test_last);
  return {cut(test, validation), test};
}

/// (distance from the beginning of the series, row): sorts by time.
using Start = std::pair<std::int64_t, std::int64_t>;

std::vector<std::int64_t> in_order(std::vector<Start> starts) {
  std::ranges::sort(starts);
  std::vector<std::int64_t> rows;
  for (const auto& [distance, row] : starts) rows.push_back(row);
  return rows;
}

}  // namespace

WindowStarts cut_windows(std::span<const SeriesRows> series, const WindowRule& rule,
                         double validation, double test_last) {
  std::vector<Start> train, validate, test;
  for (const SeriesRows& one : series) {
    const Cuts cuts = cuts_of(one.rows, validation, test_last);
    for (std::int64_t at = 0; at + rule.end() <= one.rows; at += rule.step) {
      const std::int64_t first = at + rule.first_target();
      const std::int64_t last = at + rule.end();
      const Start start{at, one.first + at};
      if (last <= cuts.validation) {
        train.push_back(start);
      } else if (first >= cuts.validation && last <= cuts.test) {
        validate.push_back(start);
      } else if (first >= cuts.test) {
        test.push_back(start);
      }
    }
  }
  return {in_order(std::move(train)), in_order(std::move(validate)), in_order(std::move(test))};
}

std::vector<SeriesRows> rows_to_train(std::span<const SeriesRows> series, double validation,
                                      double test_last) {
  std::vector<SeriesRows> parts;
  for (const SeriesRows& one : series)
    parts.push_back({one.first, cuts_of(one.rows, validation, test_last).validation});
  return parts;
}

}  // namespace lockstep
