#include "io/table/import_table.hpp"

#include <cstring>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using test::TemporaryDirectory;
using test::write_bytes;
using testing::ElementsAre;
using testing::HasSubstr;

template <class T = float>
std::vector<T> values_of(const std::optional<Array>& array) {
  EXPECT_TRUE(array.has_value() && array->type == element_type_of<T>());
  std::vector<T> values(array->bytes.size() / sizeof(T));
  std::memcpy(values.data(), array->bytes.data(), array->bytes.size());
  return values;
}

/// A training table, and new ones that its mapping reads.
class ImportTable : public testing::Test {
 protected:
  ImportTable() { options_.label = "y"; }

  const ImportedTable& import(const std::string& text, const std::string& test_text = "",
                              const TableSplit& split = {}) {
    write_bytes(path_, text);
    if (!test_text.empty()) write_bytes(test_path_, test_text);
    table_ =
        import_table(path_, test_text.empty() ? "" : test_path_, options_, split, Unknown::kRefuse);
    return table_;
  }
  std::vector<float> x_of(const std::string& text) {
    return values_of(import(text).arrays.x_train);
  }
  std::vector<std::int64_t> y_of(const std::string& text) {
    return values_of<std::int64_t>(import(text).arrays.y_train);
  }
  /// The features of a new table, as lockstep predict reads it.
  std::vector<float> predict_x(const std::string& text, const TableFormat& said = {}) {
    write_bytes(test_path_, text);
    const TextTable table(test_path_, format_for(table_.mapping, said));
    return values_of(map_rows(table, table_.mapping, Unknown::kRefuse).x);
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "table.csv";
  std::filesystem::path test_path_ = directory_ / "new.csv";
  TableOptions options_;
  ImportedTable table_;
};

TEST_F(ImportTable, WithoutAHeaderKeepsAnEmptyLastColumnOfANewTable) {
  options_.label = "0";
  options_.missing = {"zero"};
  EXPECT_THAT(x_of("7,1,2\n8,3,\n9,5,6\n"), ElementsAre(1, 2, 3, 0, 5, 6));
  EXPECT_THAT(predict_x("7,1,\n8,3,\n"), ElementsAre(1, 0, 3, 0));
  EXPECT_THAT(predict_x("7,1,2,\n8,3,4,\n"), ElementsAre(1, 2, 3, 4)) << "ends in separators";
  EXPECT_THAT(predict_x("1,2\n3,4\n"), ElementsAre(1, 2, 3, 4)) << "without the label";

  options_.label = "-1";
  import("1,2,7\n3,4,8\n5,6,9\n");
  EXPECT_THAT(predict_x("1,2,\n3,4,\n"), ElementsAre(1, 2, 3, 4));
}

TEST_F(ImportTable, ANumberAsMarkIsMissingInEveryText) {
  options_.format.missing_marks = {"-999"};
  options_.missing = {"zero"};
  EXPECT_THAT(x_of("a,y\n-999.0,0\n-999,1\n-9.99e2,1\n4,0\n-99,1\n"), ElementsAre(0, 0, 0, 4, -99));
  EXPECT_THAT(predict_x("a\n-999.00\n7\n"), ElementsAre(0, 7));
  options_.format.missing_marks = {"-99.5"};
  EXPECT_THAT(x_of("a;y\n-99,50;0\n1,5;1\n"), ElementsAre(0, 1.5)) << "decimal commas";
}

TEST_F(ImportTable, WordsOfTheUsersListsAreNeverMissing) {
  options_.ordinal = {"a=None<Mild<Bad"};
  for (const char* policy : {"error", "most", "drop"}) {
    options_.missing = {policy};
    EXPECT_THAT(x_of("a,b,y\nNone,1,0\nMild,2,1\nNone,3,0\nBad,4,1\n"),
                ElementsAre(0, 1, 1, 2, 0, 3, 2, 4))
        << policy;
  }
  options_.missing = {"a=most"};
  EXPECT_THAT(x_of("a,b,y\nNone,1,0\nMild,2,1\nNone,3,0\nNA,4,1\n"),
              ElementsAre(0, 1, 1, 2, 0, 3, 0, 4));
  EXPECT_THAT(table_.report.back(), HasSubstr("1 missing"));
  options_ = {};
  options_.label = "y";
  options_.classes = "Mild,None";
  EXPECT_THAT(y_of("a,y\n1,None\n2,Mild\n3,None\n"), ElementsAre(1, 0, 1));
}

TEST_F(ImportTable, CountsSecondsFromTheFirstDay) {
  const std::string text =
      "t,y\n2024-03-02T10:00:01,0\n2024-03-01T23:59:59,1\n2024-03-03T00:00:00.5,0\n";
  EXPECT_THAT(x_of(text), ElementsAre(86400 + 36001, 86399, 172800.5));
  EXPECT_THAT(table_.report.back(), HasSubstr("seconds since 2024-03-01"));
  table_.mapping = table_mapping_from_json(table_.arrays.table_mapping, "m.h5");
  EXPECT_EQ(table_.mapping.features.front().unit(), "seconds since 2024-03-01");
  EXPECT_THAT(predict_x("t\n2024-02-29 23:59:59\n2024-03-02 10:00:02\n"),
              ElementsAre(-1, 86400 + 36002));

  options_.missing = {"mean"};
  EXPECT_THAT(x_of("t,y\n2024-03-01 00:00:01,0\n,1\n2024-03-01 00:00:03,0\n"),
              ElementsAre(1, 2, 3));
  import("t,y\n2024-03-05 00:00,0\n2024-03-06 00:00,1\n2024-03-01 00:00,0\n", "",
         {.test_last = 0.3});
  EXPECT_EQ(table_.mapping.features.front().unit(), "seconds since 2024-03-05")
      << "of the rows to train on";
  import("t,y\n2024-03-05,0\n2024-03-06,1\n");
  EXPECT_EQ(table_.mapping.features.front().unit(), "days since 1970-01-01");
}

TEST_F(ImportTable, TakesNumbersAsClassesInTheUsersOrder) {
  options_.classes = "1.0,0.0";
  EXPECT_THAT(y_of("a,y\n1,0.0\n2,1.0\n3,1\n"), ElementsAre(1, 0, 0));
  EXPECT_THAT(table_.mapping.classes(), ElementsAre("1", "0"));
  for (const char* twice : {"0,1,0.0", "u,v,u"}) {
    options_.classes = twice;
    write_bytes(path_, *twice == 'u' ? "a,y\n1,u\n2,v\n" : "a,y\n1,0\n2,1\n");
    expect_error(ExitCode::kUsage, {"--classes", "each class once"},
                 [&] { import_table(path_, "", options_, {}, Unknown::kRefuse); });
  }
}

TEST_F(ImportTable, SeparatorAndDecimalHoldForTheTestTableToo) {
  const std::string train = "a;y\n1.5;0\n2.5;1\n";
  const std::string unclear = "a;y\n1,234;0\n5,678;1\n";
  options_.format.decimal = ',';
  EXPECT_THAT(values_of(import("a;y\n1,5;0\n2,5;1\n", unclear).arrays.x_test),
              ElementsAre(1.234F, 5.678F));
  options_.format.decimal.reset();
  import(train);
  write_bytes(test_path_, unclear);
  expect_error(ExitCode::kBadData, {"--decimal comma"}, [&] { predict_x(unclear); });
  EXPECT_THAT(predict_x(unclear, {.decimal = ','}), ElementsAre(1.234F, 5.678F));
  EXPECT_THAT(predict_x("a|z\n1|0,5;2\n", {.separator = '|'}), ElementsAre(1));

  options_.format.decimal = '.';
  options_.missing = {"zero"};
  write_bytes(path_, train);
  write_bytes(test_path_, unclear);
  expect_error(ExitCode::kBadData, {"finite number", "1,234"},
               [&] { import_table(path_, test_path_, options_, {}, Unknown::kRefuse); });
}

}  // namespace
}  // namespace lockstep
