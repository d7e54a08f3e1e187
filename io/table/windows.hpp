#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// How a series becomes samples: `length` consecutive rows of inputs, and the labels of the
/// `horizon` rows behind them; 0: of the window's last row.
struct WindowRule {
  std::int64_t length = 0;  ///< 0: no windows
  std::int64_t horizon = 1;
  std::int64_t step = 1;  ///< rows from window to window, from each group's beginning
  std::string group;      ///< the column whose values tell series apart; empty: one series

  /// Rows behind the window's beginning: of the first target, and behind the last one.
  std::int64_t first_target() const { return horizon == 0 ? length - 1 : length; }
  std::int64_t end() const { return first_target() + (horizon == 0 ? 1 : horizon); }
};

/// One series: rows [first, first + rows) of all.
struct SeriesRows {
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

/// Where windows begin, by what they are for; in the order of time: of the windows that begin as
/// far from the beginning of their series, those of the first series first.
struct WindowStarts {
  std::vector<std::int64_t> train, validation, test;
};

/// Each series is cut by time: its last rows are for tests (`test_last`, as Keras's
/// validation_split), the last of the rest for validation. A window belongs to the part that all
/// its targets are in; inputs to validate and to test may reach back before the cut, as they will
/// when the network is used, but those to train never reach over it.
WindowStarts cut_windows(std::span<const SeriesRows> series, const WindowRule& rule,
                         double validation, double test_last);

/// The rows of each series that are to train on: all before the first cut.
std::vector<SeriesRows> rows_to_train(std::span<const SeriesRows> series, double validation,
                                      double test_last);

}  // namespace lockstep
