#include "io/table/dates.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <vector>

namespace lockstep {
namespace {

constexpr auto kMonths = std::to_array<std::string_view>(
    {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"});
constexpr auto kLongMonths =
    std::to_array<std::string_view>({"january", "february", "march", "april", "may", "june", "july",
                                     "august", "september", "october", "november", "december"});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Takes text from the front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (take(' ')) {
    }
  }
  /// A number without sign of at most `most` digits; how many there were is left in digits().
  std::optional<int> number(std::size_t most) {
    digits_ = 0;
    while (digits_ < rest_.size() && is_digit(rest_[digits_])) ++digits_;
    if (digits_ == 0 || digits_ > most) return std::nullopt;
    int value = 0;
    std::from_chars(rest_.data(), rest_.data() + digits_, value);
    rest_.remove_prefix(digits_);
    return value;
  }
  std::size_t digits() const { return digits_; }
  /// 1 to 12 for a month's name, short or long.
  std::optional<int> month() {
    std::string word;
    while (word.size() < rest_.size() && lower(rest_[word.size()]) >= 'a' &&
           lower(rest_[word.size()]) <= 'z')
      word += lower(rest_[word.size()]);
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
      if (word != kMonths[i] && word != kLongMonths[i]) continue;
      rest_.remove_prefix(word.size());
      return static_cast<int>(i + 1);
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
  std::size_t digits_ = 0;
};

struct Calendar {
  int year = 0;
  int month = 0;
  int day = 0;
};

std::optional<int> full_year(int year, std::size_t digits) {
  if (digits == 4) return year;
  if (digits == 2) return year < 69 ? 2000 + year : 1900 + year;
  return std::nullopt;
}

/// "Jan 31, 2020".
std::optional<Calendar> month_first(Scanner& text) {
  Calendar date;
  date.month = *text.month();
  if (!text.take('-')) text.skip_blanks();
  date.day = text.number(2).value_or(0);
  text.take(',');
  if (!text.take('-')) text.skip_blanks();
  const std::optional<int> year = text.number(4);
  if (!year || !full_year(*year, text.digits())) return std::nullopt;
  date.year = *full_year(*year, text.digits());
  return date;
}

std::optional<Calendar> calendar(Scanner& text, DateOrder order) {
  if (Scanner(text).month()) return month_first(text);
  const std::optional<int> first = text.number(4);
  const std::size_t first_digits = text.digits();
  const char separator = text.peek();
  if (!first || (separator != '-' && separator != '/' && separator != '.' && separator != ' '))
    return std::nullopt;
  text.take(separator);
  const std::optional<int> named = text.month();
  const std::optional<int> second = named ? named : text.number(2);
  if (!second || !text.take(separator) || (separator == ' ' && !named)) return std::nullopt;
  const std::optional<int> third = text.number(4);
  if (!third) return std::nullopt;
  if (order == DateOrder::kYearMonthDay) {
    if (first_digits != 4 || text.digits() > 2) return std::nullopt;
    return Calendar{*first, *second, *third};
  }
  const std::optional<int> year = full_year(*third, text.digits());
  if (!year || first_digits > 2) return std::nullopt;
  if (named || order == DateOrder::kDayMonthYear) return Calendar{*year, *second, *first};
  return Calendar{*year, *first, *second};
}

/// "10:30", "10:30:05.5", then nothing, Z or an offset; seconds of the day in UTC.
std::optional<double> time_of_day(Scanner& text) {
  const std::optional<int> hour = text.number(2);
  if (!hour || *hour > 23 || !text.take(':')) return std::nullopt;
  const std::optional<int> minute = text.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  double seconds = *hour * 3600.0 + *minute * 60.0;
  if (text.take(':')) {
    const std::optional<int> second = text.number(2);
    if (!second || *second > 59) return std::nullopt;
    seconds += *second;
    if (text.take('.')) {
      const std::optional<int> fraction = text.number(9);
      if (!fraction) return std::nullopt;
      double unit = 1;
      for (std::size_t i = 0; i < text.digits(); ++i) unit *= 10;
      seconds += *fraction / unit;
    }
  }
  if (text.take('Z') || text.at_end()) return seconds;
  const int sign = text.take('+') ? -1 : text.take('-') ? 1 : 0;
  const std::optional<int> hours = text.number(4);
  if (sign == 0 || !hours) return std::nullopt;
  int minutes = text.digits() == 4 ? *hours % 100 : 0;
  const int whole = text.digits() == 4 ? *hours / 100 : *hours;
  if (text.take(':')) minutes = text.number(2).value_or(60);
  if (whole > 14 || minutes > 59) return std::nullopt;
  return seconds + sign * (whole * 3600.0 + minutes * 60.0);
}

}  // namespace

const char* to_text(DateOrder order) {
  return order == DateOrder::kYearMonthDay   ? "y-m-d"
         : order == DateOrder::kDayMonthYear ? "d/m/y"
                                             : "m/d/y";
}

std::optional<DateOrder> date_order_from_text(std::string_view text) {
  for (const DateOrder order :
       {DateOrder::kYearMonthDay, DateOrder::kDayMonthYear, DateOrder::kMonthDayYear})
    if (text == to_text(order)) return order;
  return std::nullopt;
}

std::optional<Date> parse_date(std::string_view text, DateOrder order) {
  if (text.size() < 6) return std::nullopt;
  Scanner scanner(text);
  const std::optional<Calendar> date = calendar(scanner, order);
  if (!date) return std::nullopt;
  using namespace std::chrono;
  const year_month_day day{year(date->year), month(static_cast<unsigned>(date->month)),
                           std::chrono::day(static_cast<unsigned>(date->day))};
  if (!day.ok()) return std::nullopt;
  Date result{sys_days(day).time_since_epoch().count(), 0, false};
  if (scanner.at_end()) return result;
  if (!scanner.take('T')) {
    if (scanner.peek() != ' ') return std::nullopt;
    scanner.skip_blanks();
  }
  const std::optional<double> time = time_of_day(scanner);
  if (!time || !scanner.at_end()) return std::nullopt;
  result.seconds = *time;
  result.has_time = true;
  return result;
}

std::string day_text(std::int64_t days) {
  using namespace std::chrono;
  const year_month_day day{sys_days(std::chrono::days(days))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

}  // namespace lockstep
