#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// The order of a date's three numbers. A month's name, or a year in front, leaves no choice.
enum class DateOrder { kYearMonthDay, kDayMonthYear, kMonthDayYear };
/// "y-m-d", "d/m/y", "m/d/y"; what separates the numbers (- / .) is free.
const char* to_text(DateOrder order);
std::optional<DateOrder> date_order_from_text(std::string_view text);

/// A point in time: days since 1970-01-01 and seconds of the day.
struct Date {
  std::int64_t days = 0;
  double seconds = 0;
  bool has_time = false;
};

/// "2020-01-31", "31/1/2020", "1.31.20", "31-Jan-2020", "Jan 31, 2020", each with or without a time
/// ("T10:30", " 10:30:05.5", then Z or +01:00). Two digits of a year are 1969 to 2068. Leap seconds
/// are none.
std::optional<Date> parse_date(std::string_view text, DateOrder order);

/// "2020-01-31", of days since 1970-01-01.
std::string day_text(std::int64_t days);

}  // namespace lockstep
