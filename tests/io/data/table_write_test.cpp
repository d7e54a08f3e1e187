#include "io/data/table_write.hpp"

#include <charconv>
#include <limits>

#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using test::expect_error;
using testing::ElementsAre;

std::string table(char separator, const Shape& row_shape, const TableLabels& labels,
                  const std::vector<float>& numbers) {
  TableText text(separator, row_shape, labels);
  const std::int64_t columns = element_count(row_shape);
  const ConstMatrix rows{numbers.data(), std::ssize(numbers) / columns, columns};
  text.add(rows.rows_from(0, 1));  // in two pieces
  text.add(rows.rows_from(1, rows.rows - 1));
  return text.text();
}

TEST(TableText, HasAHeaderAndALineForEachRow) {
  EXPECT_EQ(table(',', {2}, {}, {0.1F, 1, -2.5F, 1e-30F, 3e20F, 0}),
            "output_0,output_1\n0.1,1\n-2.5,1e-30\n3e+20,0\n");
  EXPECT_EQ(table('\t', {1}, {}, {1, 2}), "output\n1\n2\n");
}

TEST(TableText, NamesOutputsOfSeveralAxesByTheirIndices) {
  EXPECT_THAT(column_names({2, 3}, {}), ElementsAre("output_0_0", "output_0_1", "output_0_2",
                                                    "output_1_0", "output_1_1", "output_1_2"));
  EXPECT_THAT(column_names({}, {}), ElementsAre("output"));
  EXPECT_THAT(column_names({2}, {.columns = {"x", "y"}}), ElementsAre("x", "y"));
  EXPECT_THAT(column_names({2}, {.classes = {"cat", "dog"}}), ElementsAre("cat", "dog"));
  EXPECT_THAT(column_names({1}, {.classes = {"cat", "dog"}}), ElementsAre("output"));
  expect_error(ExitCode::kBadData, {"2 outputs", "got 1"},
               [] { column_names({2}, {.columns = {"x"}}); });
}

TEST(TableText, PutsIdsAndPredictedClassesInFront) {
  const TableLabels labels{.id_name = "name", .ids = {"a", "b"}, .classes = {"cat", "dog"}};
  EXPECT_EQ(table(',', {2}, labels, {0.75F, 0.25F, 0.5F, 0.5F}),
            "name,predicted,cat,dog\na,cat,0.75,0.25\nb,cat,0.5,0.5\n");
}

TEST(TableText, QuotesWhatARowWouldElseBeCutAt) {
  const TableLabels labels{.columns = {"one, two"}, .ids = {"say \"x\"", "two\nlines", " blank"}};
  EXPECT_EQ(table(',', {1}, labels, {1, 2, 3}),
            "id,\"one, two\"\n\"say \"\"x\"\"\",1\n\"two\nlines\",2\n\" blank\",3\n");
  EXPECT_EQ(table('\t', {1}, labels, {1, 2, 3}).substr(0, 12), "id\tone, two\n");
}

TEST(TableText, WritesNumbersFromWhichTheSameAreRead) {
  std::vector<float> numbers;
  for (std::uint32_t bits = 1; bits < 0x7F800000; bits += 9'876'543) {
    numbers.push_back(std::bit_cast<float>(bits));
  }
  std::string text = table(',', {1}, {}, numbers);
  const char* place = text.data() + text.find('\n') + 1;
  for (const float expected : numbers) {
    float found = 0;
    place = std::from_chars(place, text.data() + text.size(), found).ptr + 1;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(found), std::bit_cast<std::uint32_t>(expected));
  }
}

TEST(PredictedClass, IsTheLargestOutputOrTheSideOfOneHalf) {
  const std::vector<std::string> two = {"no", "yes"}, three = {"a", "b", "c"};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(predicted_class(std::vector<float>{0.2F, 0.5F, 0.3F}, three), "b");
  EXPECT_EQ(predicted_class(std::vector<float>{0.5F}, two), "no");
  EXPECT_EQ(predicted_class(std::vector<float>{0.6F}, two), "yes");
  EXPECT_EQ(predicted_class(std::vector<float>{1, nan}, two), "");
  expect_error(ExitCode::kBadData, {"got 3 and 2"}, [&] {
    predicted_class(std::vector<float>{1, 2}, three);
  });
}

}  // namespace
}  // namespace lockstep
