#include "io/data/batch.hpp"

#include <cmath>
#include <limits>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using testing::ElementsAre;
using testing::ElementsAreArray;

template <class T>
ArrayView view(const std::vector<T>& values, Shape row_shape = {}) {
  return array_view(std::span<const T>(values), std::move(row_shape));
}

template <class T>
void expect_gathered(T low, T high) {
  const std::vector<T> values = {low, T{1}, T{2}, high, T{4}, T{5}, T{6}, T{7}, T{8}};
  const std::vector<std::int64_t> rows = {2, 0, 2, 1};
  std::vector<float> out(12, -1.0F);

  gather_rows(view(values, {3}), rows, {out.data(), 4, 3});

  const auto f = [](T value) { return static_cast<float>(value); };
  EXPECT_THAT(out, ElementsAre(6, 7, 8, f(low), 1, 2, 6, 7, 8, f(high), 4, 5));
}

TEST(GatherRows, TakesRowsInTheOrderGivenFromEveryType) {
  expect_gathered<std::int8_t>(-128, 127);
  expect_gathered<std::uint8_t>(0, 255);
  expect_gathered<std::int16_t>(-32768, 32767);
  expect_gathered<std::uint16_t>(0, 65535);
  expect_gathered<std::int32_t>(-5, std::numeric_limits<std::int32_t>::max());
  expect_gathered<std::uint32_t>(0, std::numeric_limits<std::uint32_t>::max());
  expect_gathered<std::int64_t>(-5, std::numeric_limits<std::int64_t>::max());
  expect_gathered<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max());
  expect_gathered<float>(-1.5F, 0.1F);
  expect_gathered<double>(-1e-50, 0.1);
}

TEST(GatherRows, RoundsToTheNearestFloat) {
  const std::vector<std::int64_t> integers = {16777217, 16777219};  // ties, to even
  const std::vector<double> doubles = {1.0 + 0x1p-24 + 0x1p-40};
  std::vector<float> out(2);

  gather_rows(view(integers), std::vector<std::int64_t>{0, 1}, {out.data(), 2, 1});
  EXPECT_THAT(out, ElementsAre(16777216.0F, 16777220.0F));
  gather_rows(view(doubles), std::vector<std::int64_t>{0}, {out.data(), 1, 1});
  EXPECT_EQ(out[0], 0x1.000002p0F);
}

TEST(GatherRows, ConvertsOddNumbersOfBytes) {
  for (const std::size_t columns : {1U, 15U, 17U, 63U, 65U, 784U}) {
    std::vector<std::uint8_t> values(3 * columns);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 7);
    std::vector<float> out(2 * columns + 1, -1.0F);

    gather_rows(view(values, {static_cast<std::int64_t>(columns)}), std::vector<std::int64_t>{2, 1},
                {out.data(), 2, static_cast<std::int64_t>(columns)});

    for (std::size_t k = 0; k < columns; ++k) {
      ASSERT_EQ(out[k], static_cast<float>(values[2 * columns + k]));
      ASSERT_EQ(out[columns + k], static_cast<float>(values[columns + k]));
    }
    EXPECT_EQ(out.back(), -1.0F) << "nothing behind the last row is written";
  }
}

TEST(TargetLoader, GathersClassesOfSeveralPositions) {
  const std::vector<std::uint8_t> y = {0, 1, 2, 3, 4, 5, 6, 7};
  TargetLoader loader(TargetKind::kClasses, 4, 2, 10);

  const Targets targets = loader.gather(view(y, {2, 1}), std::vector<std::int64_t>{3, 0});

  EXPECT_THAT(targets.classes, ElementsAre(6, 7, 0, 1));
  EXPECT_TRUE(targets.values.empty());
  EXPECT_THAT(loader.gather(view(y, {2}), std::vector<std::int64_t>{1}).classes, ElementsAre(2, 3));
  EXPECT_TRUE(loader.gather(view(y, {2}), {}).classes.empty());
}

TEST(TargetLoader, TakesClassesFromFloatsAndWideIntegers) {
  TargetLoader loader(TargetKind::kClasses, 2, 1, 10);
  const std::vector<std::int64_t> rows = {1, 0};
  EXPECT_THAT(loader.gather(view(std::vector<float>{3, 9}), rows).classes, ElementsAre(9, 3));
  EXPECT_THAT(loader.gather(view(std::vector<double>{3, 9}), rows).classes, ElementsAre(9, 3));
  EXPECT_THAT(loader.gather(view(std::vector<std::uint64_t>{3, 9}), rows).classes,
              ElementsAre(9, 3));
}

TEST(TargetLoader, GathersValuesAsPositionsByColumns) {
  const std::vector<double> y = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};  // 2 rows of (3, 2)
  TargetLoader loader(TargetKind::kValues, 2, 3, 2);

  const Targets targets = loader.gather(view(y, {3, 2}), std::vector<std::int64_t>{1});

  EXPECT_TRUE(targets.classes.empty());
  EXPECT_EQ(targets.values.rows, 3);
  EXPECT_EQ(targets.values.columns, 2);
  EXPECT_THAT(targets.values.flat(), ElementsAre(6, 7, 8, 9, 10, 11));
}

TEST(TargetLoader, GivesEveryPositionItsWeight) {
  const std::vector<std::uint8_t> y{0, 1, 2, 3, 4, 5};
  const std::vector<std::int64_t> rows{2, 0};
  TargetLoader loader(TargetKind::kClasses, 2, 2, 10);
  EXPECT_TRUE(loader.gather(ArrayDataset{{}, view(y, {2})}, rows).weights.empty());
  const std::vector<double> of_rows{0.5, 1, 2};
  const Targets targets = loader.gather(ArrayDataset{{}, view(y, {2}), view(of_rows, {})}, rows);
  EXPECT_THAT(targets.classes, ElementsAre(4, 5, 0, 1));
  EXPECT_THAT(targets.weights, ElementsAre(2, 2, 0.5f, 0.5f));
  EXPECT_THAT(targets.slice(1, 2).weights, ElementsAre(2, 0.5f));
  const std::vector<float> of_positions{0, 1, 2, 3, 4, 5};
  const ArrayDataset data{{}, view(y, {2}), view(of_positions, {2})};
  EXPECT_THAT(loader.gather(data.slice(1, 3), std::vector<std::int64_t>{1}).weights,
              ElementsAre(4, 5));
}

TEST(CheckWeightShape, WantsOneOfEachRowOrPosition) {
  const std::vector<float> numbers(12, 1);
  const ArrayView y = view(numbers, {2});
  const auto check = [&](const ArrayView& weights) {
    check_weight_shape(weights, y, {2, 5}, "w", "y");
  };
  const std::vector<float> six(6, 1);
  for (const Shape& shape : {Shape{}, Shape{1}}) EXPECT_NO_THROW(check(view(six, shape)));
  for (const Shape& shape : {Shape{2}, Shape{2, 1}}) EXPECT_NO_THROW(check(view(numbers, shape)));
  EXPECT_THROW(check(view(numbers, {})), Error);
  EXPECT_THROW(check(view(std::vector<float>(18, 1), {3})), Error);
}

TEST(TargetLoader, ReusesItsMemory) {
  const std::vector<std::int32_t> y = {1, 2, 3};
  TargetLoader loader(TargetKind::kClasses, 3, 1, 10);
  const auto* first = loader.gather(view(y), std::vector<std::int64_t>{0}).classes.data();
  EXPECT_EQ(loader.gather(view(y), std::vector<std::int64_t>{0, 1, 2}).classes.data(), first);
}

TEST(FindNotFinite, CountsNanAndInfinityAndNamesTheFirstRow) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {nan, 1, 2, 3, 4, infinity, nan, 7, 8, -infinity};

  const Findings all = find_not_finite(view(x, {2}), 0, 5);
  EXPECT_EQ(all.count, 4);
  EXPECT_EQ(all.first_row, 0);
  EXPECT_EQ(all.example, "nan");
  const Findings part = find_not_finite(view(x, {2}), 1, 4);
  EXPECT_EQ(part.count, 2);
  EXPECT_EQ(part.first_row, 2);
  EXPECT_EQ(part.example, "inf");
  EXPECT_EQ(find_not_finite(view(x, {2}), 1, 2).count, 0);
  EXPECT_EQ(find_not_finite(view(x, {2}), 1, 2).first_row, -1);
}

TEST(FindNotFinite, FindsDoublesThatNoFloatCanHold) {
  const std::vector<double> x = {1, 3.4e38, 3.5e38, -1e300, 1e-300};
  const Findings findings = find_not_finite(view(x), 0, 5);
  EXPECT_EQ(findings.count, 2);
  EXPECT_EQ(findings.first_row, 2);
  EXPECT_EQ(findings.example, "3.5e+38");
  EXPECT_EQ(find_not_finite(view(std::vector<std::int64_t>{1, 2}), 0, 2).count, 0);
}

TEST(FindBadLabels, CountsLabelsOutOfRange) {
  const std::vector<std::int16_t> y = {0, 9, 10, 3, -1, 12};
  const Findings findings = find_bad_labels(view(y), 0, 6, 10);
  EXPECT_EQ(findings.count, 3);
  EXPECT_EQ(findings.first_row, 2);
  EXPECT_EQ(findings.example, "10");
  EXPECT_EQ(find_bad_labels(view(y), 3, 6, 10).first_row, 4);
  EXPECT_EQ(find_bad_labels(view(y), 3, 6, 10).example, "-1");
  EXPECT_EQ(find_bad_labels(view(y), 0, 2, 10).count, 0);
}

TEST(FindBadLabels, SeesBytesAsNumbersAndWideIntegersWhole) {
  EXPECT_EQ(find_bad_labels(view(std::vector<std::uint8_t>{65, 1}), 0, 2, 10).example, "65");
  EXPECT_EQ(find_bad_labels(view(std::vector<std::int8_t>{-65, 1}), 0, 2, 10).example, "-65");
  const std::vector<std::uint64_t> wide = {std::numeric_limits<std::uint64_t>::max(), 1ULL << 32};
  EXPECT_EQ(find_bad_labels(view(wide), 0, 2, 10).count, 2);
}

TEST(FindBadLabels, KnowsMoreClassesThanANarrowTypeCanCount) {
  EXPECT_EQ(find_bad_labels(view(std::vector<std::uint8_t>{0, 255}), 0, 2, 300).count, 0);
  EXPECT_EQ(find_bad_labels(view(std::vector<std::int8_t>{-1, 127}), 0, 2, 256).count, 1);
}

TEST(FindBadLabels, WantsFloatsToBeExactIntegers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> y = {0, 9, 3.5, nan, -0.0, 10, -1};
  const Findings findings = find_bad_labels(view(y), 0, 7, 10);
  EXPECT_EQ(findings.count, 4);
  EXPECT_EQ(findings.first_row, 2);
  EXPECT_EQ(findings.example, "3.5");
  EXPECT_EQ(find_bad_labels(view(y), 3, 4, 10).example, "nan");
}

ArrayView shaped(std::int64_t rows, Shape row_shape) {
  return {ElementType::kFloat32, rows, std::move(row_shape), nullptr};
}

void check_y(const Shape& y, const Shape& output, TargetKind kind) {
  check_shapes(shaped(5, {4}), shaped(5, y), {4}, output, kind, "F:/x", "F:/y");
}

TEST(CheckShapes, AcceptsClassIndicesWithOrWithoutALastAxisOfOne) {
  EXPECT_NO_THROW(check_y({}, {10}, TargetKind::kClasses));
  EXPECT_NO_THROW(check_y({1}, {10}, TargetKind::kClasses));
  EXPECT_NO_THROW(check_y({7}, {7, 10}, TargetKind::kClasses));
  EXPECT_NO_THROW(check_y({7, 1}, {7, 10}, TargetKind::kClasses));
}

TEST(CheckShapes, RefusesOtherShapesOfClassIndices) {
  expect_error(ExitCode::kBadData, {"F:/y", "(10)", "(2)"},
               [] { check_y({2}, {10}, TargetKind::kClasses); });
  expect_error(ExitCode::kBadData, {"(7, 10)", "(8)"}, [] {
    check_y({8}, {7, 10}, TargetKind::kClasses);
  });
  expect_error(ExitCode::kBadData, {"one-hot", "categorical_crossentropy"},
               [] { check_y({10}, {10}, TargetKind::kClasses); });
}

TEST(CheckShapes, WantsValuesOfTheOutputsShape) {
  EXPECT_NO_THROW(check_y({10}, {10}, TargetKind::kValues));
  EXPECT_NO_THROW(check_y({}, {1}, TargetKind::kValues));
  EXPECT_NO_THROW(check_y({1}, {1}, TargetKind::kValues));
  EXPECT_NO_THROW(check_y({3, 2}, {3, 2}, TargetKind::kValues));
  expect_error(ExitCode::kBadData, {"(3, 2)", "(6)"}, [] {
    check_y({6}, {3, 2}, TargetKind::kValues);
  });
  expect_error(ExitCode::kBadData, {"(10)", "()", "sparse_categorical_crossentropy"},
               [] { check_y({}, {10}, TargetKind::kValues); });
}

TEST(CheckShapes, WantsRowsOfTheInputsShape) {
  const auto check_x = [](const Shape& x, const Shape& input) {
    check_shapes(shaped(5, x), shaped(5, {}), input, {10}, TargetKind::kClasses, "F:/x", "F:/y");
  };
  EXPECT_NO_THROW(check_x({28, 28}, {28, 28}));
  EXPECT_NO_THROW(check_x({}, {1}));
  expect_error(ExitCode::kBadData, {"F:/x", "(784)", "(28, 28)", "Flatten or Reshape"}, [&] {
    check_x({28, 28}, {784});
  });
  const Error other = test::error_of([&] { check_x({100}, {784}); });
  EXPECT_THAT(other.what(), testing::HasSubstr("(100)"));
  EXPECT_THAT(other.what(), testing::Not(testing::HasSubstr("Flatten")));
}

TEST(CheckShapes, WantsAsManyLabelsAsRows) {
  expect_error(ExitCode::kBadData, {"F:/x", "F:/y", "5 and 6"}, [] {
    check_shapes(shaped(5, {4}), shaped(6, {}), {4}, {10}, TargetKind::kClasses, "F:/x", "F:/y");
  });
}

TEST(Windows, AreGatheredAsIfTheyWereCopied) {
  std::vector<std::int16_t> series(14);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = static_cast<std::int16_t>(i * i);
  const std::vector<std::int64_t> starts = {4, 0, 2, 1};
  ArrayView windows = view(series, {3, 2});
  windows.rows = 4;
  windows.starts = starts.data();
  windows.start_elements = 2;
  std::vector<std::int16_t> copied;
  for (const std::int64_t start : starts)
    for (std::int64_t k = 0; k < 6; ++k)
      copied.push_back(series[static_cast<std::size_t>(2 * start + k)]);
  const ArrayView copies = view(copied, {3, 2});

  const std::vector<std::int64_t> rows = {3, 0, 0, 2};
  std::vector<float> found(24), expected(24);
  gather_rows(windows, rows, {found.data(), 4, 6});
  gather_rows(copies, rows, {expected.data(), 4, 6});
  EXPECT_EQ(found, expected);
  prefetch_rows(windows, rows, {2, 6});

  const std::vector<std::int64_t> second = {1};
  gather_rows(windows.slice(1, 3), second, {found.data(), 1, 6});
  gather_rows(copies.slice(1, 3), second, {expected.data(), 1, 6});
  EXPECT_EQ(found, expected);

  TargetLoader loader(TargetKind::kClasses, 4, 6, 10);
  const Targets classes = loader.gather(windows, rows);
  EXPECT_EQ(classes.classes[0], copied[18]);
  EXPECT_EQ(classes.classes[23], copied[17]);

  std::vector<std::byte> room;
  const auto bytes = row_bytes(windows, 5, 33, room);
  EXPECT_EQ(std::memcmp(bytes.data(), copies.data + 5, 33), 0);
  EXPECT_EQ(row_bytes(copies, 5, 33, room).data(), copies.data + 5);
}

}  // namespace
}  // namespace lockstep
