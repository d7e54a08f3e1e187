#include "io/table/header.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

using enum HeaderVerdict;
using Lines = std::vector<std::vector<std::string>>;

HeaderVerdict verdict(const Lines& lines) {
  const RowsBelow below{lines.size() - 1,
                        [&](std::size_t row, std::size_t column) -> std::string_view {
                          return lines[row + 1][column];
                        }};
  return is_header(lines.front(), below, CellFormat());
}

TEST(Header, IsAWordAboveNumbersOrDates) {
  EXPECT_EQ(verdict({{"a", "b"}, {"1", "2"}}), kYes);
  EXPECT_EQ(verdict({{"when", "what"}, {"2020-01-02", "u"}, {"2020-01-03", "v"}}), kYes);
  EXPECT_EQ(verdict({{"a", "1", "2"}, {"5.5", "3", "0"}, {"4.5", "3.5", "1"}}), kYes);
  EXPECT_EQ(verdict({{"", "b"}, {"0", "2"}, {"1", "3"}}), kYes);
}

TEST(Header, IsNotARowOfValues) {
  EXPECT_EQ(verdict({{"1", "2"}, {"3", "4"}}), kNo);
  EXPECT_EQ(verdict({{"5.1", "setosa"}, {"4.9", "virginica"}}), kNo);
  EXPECT_EQ(verdict({{"2020-01-01", "5"}, {"2020-01-02", "6"}}), kNo);
  EXPECT_EQ(verdict({{"", "5", "1"}, {"2", "3", "0"}}), kNo);
  EXPECT_EQ(verdict({{"?", "NA"}, {"2", "3"}}), kNo);
  EXPECT_EQ(verdict({{"x", "s"}, {"b", "s"}, {"x", "y"}}), kNo);
}

TEST(Header, MayConsistOfNumbers) {
  EXPECT_EQ(verdict({{"0", "1", "2"}, {"5.5", "3", "9"}}), kYes);
  EXPECT_EQ(verdict({{"", "0", "1", "2"}, {"7", "5.5", "3", "9"}}), kYes);
  EXPECT_EQ(verdict({{"0", "1", "2", "3", "4"}, {"0", "1", "2", "3", "9"}}), kYes);
  EXPECT_EQ(verdict({{"1999", "2000"}, {"5", "3"}, {"6", "4"}}), kYes);
  EXPECT_EQ(verdict({{"400", "410", "420"}, {"0.5", "0.3", "1"}, {"0.6", "0.4", "0"}}), kYes);
}

TEST(Header, OfNumbersIsNotARowThatCountsOn) {
  EXPECT_EQ(verdict({{"0", "1", "2"}, {"3", "4", "5"}, {"6", "7", "8"}}), kNo);
  EXPECT_EQ(verdict({{"1", "2", "3", "4", "5"}, {"6", "7", "8", "9", "10"}}), kNo);
  EXPECT_EQ(verdict({{"10", "20", "30"}, {"11", "21", "31"}, {"12", "22", "32"}}), kNo);
}

TEST(Header, CannotAlwaysBeTold) {
  EXPECT_EQ(verdict({{"0", "1"}, {"0", "1"}, {"1", "0"}}), kCannotTell);
  EXPECT_EQ(verdict({{"unknown", "5"}, {"2", "3"}, {"4", "6"}}), kCannotTell);
  EXPECT_EQ(verdict({{"u", "v"}, {"x", "y"}}), kCannotTell);
}

}  // namespace
}  // namespace lockstep
