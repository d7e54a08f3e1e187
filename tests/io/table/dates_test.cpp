#include "io/table/dates.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using enum DateOrder;

std::int64_t days(std::string_view text, DateOrder order) {
  const std::optional<Date> date = parse_date(text, order);
  return date ? date->days : -999999;
}

TEST(Dates, CountsDaysSince1970InEveryForm) {
  EXPECT_EQ(days("1970-01-01", kYearMonthDay), 0);
  EXPECT_EQ(days("2020-02-29", kYearMonthDay), 18321);
  EXPECT_EQ(days("2020/2/29", kYearMonthDay), 18321);
  EXPECT_EQ(days("29.02.2020", kDayMonthYear), 18321);
  EXPECT_EQ(days("2/29/20", kMonthDayYear), 18321);
  EXPECT_EQ(days("29-Feb-2020", kDayMonthYear), 18321);
  EXPECT_EQ(days("29 February 2020", kDayMonthYear), 18321);
  EXPECT_EQ(days("Feb 29, 2020", kMonthDayYear), 18321);
  EXPECT_EQ(days("1.1.69", kDayMonthYear), -365);
  EXPECT_EQ(days("1899-12-30", kYearMonthDay), -25569);
}

TEST(Dates, ReadsTimesAndOffsets) {
  const auto seconds = [](std::string_view text) {
    return parse_date(text, kYearMonthDay).value_or(Date{0, -1, false}).seconds;
  };
  EXPECT_EQ(seconds("2020-01-01T10:30"), 37800);
  EXPECT_EQ(seconds("2020-01-01 10:30:05.25"), 37805.25);
  EXPECT_EQ(seconds("2020-01-01T10:30:00Z"), 37800);
  EXPECT_EQ(seconds("2020-01-01T10:30:00+01:30"), 32400);
  EXPECT_EQ(seconds("2020-01-01T10:30:00-0100"), 41400);
  EXPECT_TRUE(parse_date("2020-01-01 00:00", kYearMonthDay)->has_time);
}

TEST(Dates, RefusesWhatIsNoDate) {
  for (const char* text : {"", "2020", "3.14159", "2021-02-29", "2020-13-01", "10:30:00", "1.2.3",
                           "2020-01-01x", "2020-01-01 25:00", "2020-01-0199", "word-1-2"}) {
    for (const DateOrder order : {kYearMonthDay, kDayMonthYear, kMonthDayYear})
      EXPECT_FALSE(parse_date(text, order)) << text;
  }
  EXPECT_FALSE(parse_date("13/1/2020", kMonthDayYear));
  EXPECT_FALSE(parse_date("1/13/2020", kDayMonthYear));
  EXPECT_FALSE(parse_date("1/2/2020", kYearMonthDay));
}

}  // namespace
}  // namespace lockstep
