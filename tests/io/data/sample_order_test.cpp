#include "io/data/sample_order.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;

std::vector<std::int64_t> order_of(std::int64_t rows, std::uint64_t seed, std::int64_t epoch) {
  SampleOrder order(rows, true, seed);
  order.begin_epoch(epoch);
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < rows; ++i) result.push_back(order.row(i));
  return result;
}

std::vector<std::int64_t> counting(std::int64_t rows) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(rows));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

TEST(SampleOrder, HasEveryRowExactlyOnce) {
  for (const std::int64_t rows : {1, 2, 3, 7, 64, 1001, 48000}) {
    for (const std::int64_t epoch : {0, 1, 5}) {
      std::vector<std::int64_t> order = order_of(rows, 42, epoch);
      std::ranges::sort(order);
      EXPECT_EQ(order, counting(rows)) << rows << " rows, epoch " << epoch;
    }
  }
}

TEST(SampleOrder, IsTheSameForTheSameSeedAndEpochWhateverCameBefore) {
  SampleOrder resumed(1001, true, 9);
  SampleOrder through(1001, true, 9);
  for (const std::int64_t epoch : {0, 1, 2, 3}) through.begin_epoch(epoch);
  resumed.begin_epoch(3);

  for (std::int64_t i = 0; i < 1001; ++i) ASSERT_EQ(resumed.row(i), through.row(i));
}

TEST(SampleOrder, DiffersBetweenEpochsAndSeeds) {
  EXPECT_NE(order_of(100, 1, 0), order_of(100, 1, 1));
  EXPECT_NE(order_of(100, 1, 0), order_of(100, 2, 0));
  EXPECT_NE(order_of(100, 1, 0), order_of(100, std::uint64_t{1} << 32 | 1, 0));
  EXPECT_NE(order_of(100, 1, 0), counting(100));
}

TEST(SampleOrder, IsNeverShuffledOnRequest) {
  SampleOrder order(5, false, 1);
  order.begin_epoch(3);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(order.row(i), i);
}

/// Every row stands at every position equally often: chi-square of the table of counts, with
/// (rows - 1)^2 degrees of freedom.
TEST(SampleOrder, IsUniformOverPositions) {
  constexpr std::size_t kRows = 12;
  constexpr int kEpochs = 12000;
  std::vector<double> counts(kRows * kRows, 0.0);
  SampleOrder order(kRows, true, 2024);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    order.begin_epoch(epoch);
    for (std::size_t i = 0; i < kRows; ++i) {
      counts[i * kRows + static_cast<std::size_t>(order.row(static_cast<std::int64_t>(i)))] += 1;
    }
  }

  double chi_square = 0;
  constexpr double kExpected = static_cast<double>(kEpochs) / kRows;
  for (const double count : counts) chi_square += (count - kExpected) * (count - kExpected);
  chi_square /= kExpected;

  // 121 degrees of freedom: mean 121, standard deviation 15.6.
  EXPECT_LT(chi_square, 121 + 4 * 15.6);
  EXPECT_GT(chi_square, 121 - 4 * 15.6);
}

/// All 24 orders of four rows are equally frequent.
TEST(SampleOrder, IsUniformOverPermutations) {
  constexpr int kEpochs = 24000;
  std::vector<double> counts(256, 0.0);
  SampleOrder order(4, true, 77);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    order.begin_epoch(epoch);
    std::size_t code = 0;
    for (std::int64_t i = 0; i < 4; ++i) code = 4 * code + static_cast<std::size_t>(order.row(i));
    counts[code] += 1;
  }

  double chi_square = 0;
  int seen = 0;
  for (const double count : counts) {
    if (count == 0) continue;
    ++seen;
    chi_square += (count - kEpochs / 24) * (count - kEpochs / 24) / (kEpochs / 24);
  }

  EXPECT_EQ(seen, 24);
  EXPECT_LT(chi_square, 23 + 4 * 6.8);  // 23 degrees of freedom
}

TEST(SampleOrder, RefusesNoRowsAndImpossibleEpochs) {
  expect_error(ExitCode::kBadData, {"at least one row", "got 0"}, [] { SampleOrder(0, true, 1); });
  SampleOrder order(3, true, 1);
  expect_error(ExitCode::kUsage, {"epoch", "-1"}, [&] { order.begin_epoch(-1); });
}

/// int(n * (1 - split)) in double, as Keras computes it.
TEST(ValidationSplit, CutsWhereKerasCuts) {
  EXPECT_EQ(training_rows(60000, 0.2), 48000);
  EXPECT_EQ(training_rows(60000, 0.1), 54000);
  EXPECT_EQ(training_rows(25000, 0.2), 20000);
  EXPECT_EQ(training_rows(10, 0.8), 1);
  EXPECT_EQ(training_rows(100, 0.9), 9);
  EXPECT_EQ(training_rows(1000, 0.9), 99);
  EXPECT_EQ(training_rows(10, 0.7), 3);
  EXPECT_EQ(training_rows(11, 0.2), 8);
  EXPECT_EQ(training_rows(11, 0), 11) << "no split";
}

TEST(ValidationSplit, RefusesAnEmptyPart) {
  expect_error(ExitCode::kUsage, {"got 0 and 10", "10 rows by 0.9"},
               [] { training_rows(10, 0.9); });
  expect_error(ExitCode::kUsage, {"1 rows by 0.5"}, [] { training_rows(1, 0.5); });
  expect_error(ExitCode::kUsage, {"got 10 and 0"}, [] { training_rows(10, 1e-20); });
  for (const double bad : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    expect_error(ExitCode::kUsage, {"[0, 1)"}, [&] { training_rows(10, bad); });
  }
}

}  // namespace
}  // namespace lockstep
