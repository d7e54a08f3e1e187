#include "io/table/windows.hpp"

#include <cstring>

#include "io/data/dataset_file.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/table/import_windows.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::error_of;
using test::write_bytes;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const SeriesRows kTen[] = {{0, 10}};

TEST(Windows, BeginWhereAllTheirRowsAndTargetsAreLeft) {
  EXPECT_THAT(cut_windows(kTen, {4, 2, 1, ""}, 0, 0).train, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(cut_windows(kTen, {4, 2, 3, ""}, 0, 0).train, ElementsAre(0, 3));
  EXPECT_THAT(cut_windows(kTen, {4, 0, 1, ""}, 0, 0).train, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(cut_windows(kTen, {9, 2, 1, ""}, 0, 0).train, IsEmpty());
}

TEST(Windows, BelongToThePartThatAllTheirTargetsAreIn) {
  // Rows 0 to 5 train, 6 and 7 validate, 8 and 9 test.
  const WindowStarts parts = cut_windows(kTen, {3, 2, 1, ""}, 0.25, 0.2);
  EXPECT_THAT(parts.train, ElementsAre(0, 1));
  EXPECT_THAT(parts.validation, ElementsAre(3));  // targets 6 and 7
  EXPECT_THAT(parts.test, ElementsAre(5));        // targets 8 and 9
  const WindowStarts last = cut_windows(kTen, {3, 0, 1, ""}, 0, 0.2);
  EXPECT_THAT(last.train, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(last.test, ElementsAre(6, 7));
}

TEST(Windows, StayInTheirSeriesAndStandInTheOrderOfTime) {
  const SeriesRows series[] = {{0, 4}, {4, 1}, {5, 5}};
  EXPECT_THAT(cut_windows(series, {2, 1, 1, ""}, 0, 0).train, ElementsAre(0, 5, 1, 6, 7));
  EXPECT_THAT(cut_windows(series, {2, 1, 1, ""}, 0, 0.25).test, ElementsAre(1, 6, 7));
}

class ImportWindows : public testing::Test {
 protected:
  static constexpr const char* kTable =
      "t,shop,sold,price\n1,a,10,1\n1,b,20,5\n2,a,11,2\n2,b,21,6\n3,a,12,3\n3,b,22,7\n4,a,13,4\n";

  ImportedTable import(const WindowRule& rule, const TableSplit& split = {},
                       const std::string& label = "sold", bool past = true) const {
    write_bytes(directory_ / "t.csv", kTable);
    TableOptions options;
    options.label = label;
    options.drop = "t";
    options.windows = rule;
    options.past_labels = past;
    return import_table(directory_ / "t.csv", "", options, split, Unknown::kRefuse);
  }
  std::vector<float> rows_of(const std::string& name) const {
    const DatasetFile file(directory_ / "o.h5", name);
    std::vector<std::byte> bytes(static_cast<std::size_t>(file.rows()) * file.row_bytes());
    file.read(0, file.rows(), bytes);
    std::vector<float> values;
    with_element_type(file.type(), [&]<class T>() {
      const auto* first = reinterpret_cast<const T*>(bytes.data());
      for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i)
        values.push_back(static_cast<float>(first[i]));
    });
    return values;
  }

  test::TemporaryDirectory directory_;
};

TEST_F(ImportWindows, HoldsTheSeriesOnceAndCutsWindowsWhenTheyAreRead) {
  const ImportedTable made = import({2, 1, 1, "shop"});
  write_dataset_file(directory_ / "o.h5", made.arrays);
  EXPECT_EQ(DatasetFile(directory_ / "o.h5", "x_series").rows(), 7);
  const DatasetFile x(directory_ / "o.h5", "x_train");
  EXPECT_EQ(x.rows(), 3);
  EXPECT_EQ(x.row_shape(), (Shape{2, 2}));
  EXPECT_EQ(x.held_bytes(), 7 * 2 * 4);
  // sold and price; the first window of a, that of b, the second one of a.
  EXPECT_THAT(rows_of("x_train"), ElementsAre(10, 1, 11, 2, 20, 5, 21, 6, 11, 2, 12, 3));
  EXPECT_THAT(rows_of("y_train"), ElementsAre(12, 22, 13));
  EXPECT_EQ(DatasetFile(directory_ / "o.h5", "y_train").row_shape(), Shape{});
}

TEST_F(ImportWindows, TakesSeveralRowsOfSeveralLabelsForTargets) {
  const ImportedTable made = import({1, 2, 1, "shop"}, {}, "sold,price");
  EXPECT_THAT(made.mapping.feature_names(), ElementsAre("sold", "price"));
  write_dataset_file(directory_ / "o.h5", made.arrays);
  EXPECT_EQ(DatasetFile(directory_ / "o.h5", "y_train").row_shape(), (Shape{2, 2}));
  EXPECT_THAT(rows_of("x_train"), ElementsAre(10, 1, 20, 5, 11, 2));
  EXPECT_THAT(rows_of("y_train"), ElementsAre(11, 2, 12, 3, 21, 6, 22, 7, 12, 3, 13, 4));
}

TEST_F(ImportWindows, LeavesTheLabelOutOfTheInputsIfAskedOrIfItIsOfTheSameRow) {
  EXPECT_THAT(import({2, 1, 1, "shop"}, {}, "sold", false).mapping.feature_names(),
              ElementsAre("price"));
  EXPECT_THAT(import({2, 0, 1, "shop"}).mapping.feature_names(), ElementsAre("price"));
}

TEST_F(ImportWindows, RefusesWhatIsTooShort) {
  EXPECT_THAT(error_of([&] {
                import({4, 1, 1, "shop"});
              }).what(),
              AllOf(HasSubstr("windows of 4 rows and 1 behind"), HasSubstr("has 4 rows")));
  EXPECT_THAT(error_of([&] { import({2, 1, 1, "none"}); }).what(), HasSubstr("'none'"));
}

TEST_F(ImportWindows, KeepsTheRuleInTheMapping) {
  const ImportedTable made = import({2, 3, 2, ""}, {.test_last = 0.2});
  const TableMapping back = table_mapping_from_json(made.arrays.table_mapping, "m.h5");
  EXPECT_EQ(back.windows.length, 2);
  EXPECT_EQ(back.windows.horizon, 3);
  EXPECT_EQ(back.windows.step, 2);
}

TEST_F(ImportWindows, RefusesForgedBeginnings) {
  const ImportedTable made = import({2, 1, 1, "shop"});
  for (const std::int64_t start : {std::int64_t{-1}, std::int64_t{6}}) {
    DatasetArrays forged = made.arrays;
    forged.series->train[1] = start;
    write_dataset_file(directory_ / "o.h5", forged);
    const Error error = error_of([&] { DatasetFile(directory_ / "o.h5", "x_train"); });
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), HasSubstr(fmt::format("begins at row {}", start)));
  }
  EXPECT_THROW(window_cut_from_json("{}", "f.h5"), Error);
  EXPECT_THROW(window_cut_from_json(R"({"series":"/s","offset":-1})", "f.h5"), Error);
}

}  // namespace
}  // namespace lockstep
