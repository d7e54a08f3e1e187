#include "io/table/table_mapping.hpp"

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using Kind = ColumnMapping::Kind;

TableMapping example() {
  TableMapping mapping;
  mapping.columns = 6;
  mapping.decimal = ',';
  mapping.missing_marks = {"-200"};
  mapping.features = {
      {.name = "age", .missing = "mean", .fill = 0.1},
      {.name = "port",
       .kind = Kind::kCategories,
       .categories = {"C", "\"Q\"", "\xC3\xA9"},
       .missing = "zero",
       .fill = -1,
       .indicator = true},
      {.name = "day", .kind = Kind::kDate, .order = DateOrder::kDayMonthYear, .has_times = true},
      {.name = "size", .kind = Kind::kOrdinal, .categories = {"1", "2"}, .numeric = true}};
  mapping.labels = {{"y", {"no", "yes"}, false, false, false}};
  mapping.id = "key";
  mapping.dropped = {"name"};
  return mapping;
}

TEST(TableMapping, ReadsBackWhatItWrote) {
  const std::string text = to_json_text(example());
  const TableMapping back = table_mapping_from_json(text, "m.h5");
  EXPECT_EQ(to_json_text(back), text);
  EXPECT_EQ(back.features[0].fill, 0.1);
  EXPECT_EQ(back.decimal, ',');
  EXPECT_EQ(back.feature_count(), 7U);
  EXPECT_THAT(back.feature_names(),
              testing::ElementsAre("age", "port=C", "port=\"Q\"", "port=\xC3\xA9", "port missing",
                                   "day", "size"));
}

TEST(TableMapping, RefusesWhatItDidNotWrite) {
  const auto refused = [](const std::string& text, const char* word) {
    expect_error(ExitCode::kBadData, {"m.h5", word},
                 [&] { table_mapping_from_json(text, "m.h5"); });
  };
  refused("", "mapping of a table");
  refused("[]", "mapping of a table");
  refused("{\"format\": 2}", "format 1, got 2");
  std::string text = to_json_text(example());
  text.replace(text.find("\"fill\":-1"), 9, "\"fill\":7.");
  refused(text, "mapping of a table");
  text = to_json_text(example());
  text.replace(text.find("\"fill\":-1"), 9, "\"fill\":17");
  refused(text, "index of a category");
  text = to_json_text(example());
  text.replace(text.find("categories\""), 10, "cadegories");
  refused(text, "kind of column");
}

}  // namespace
}  // namespace lockstep
