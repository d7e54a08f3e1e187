#include "io/table/cell.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

namespace lockstep {
namespace {

/// Those of pandas, and the two that old public tables use.
constexpr auto kMissing = std::to_array<std::string_view>(
    {"",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
     "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
     "NaN",  "None",   "n/a",      "nan",  "null",    "?",        "-"});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view without_plus(std::string_view text) {
  return text.size() > 1 && text.front() == '+' && text[1] != '-' ? text.substr(1) : text;
}

template <class T>
std::errc parse(std::string_view text, T& value) {
  text = without_plus(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return end != text.data() + text.size() ? std::errc::invalid_argument : error;
}

/// With a point, into `buffer` where there is a comma; empty if the text cannot be a number.
std::string_view with_point(std::string_view text, char decimal, std::string& buffer) {
  if (decimal == '.') return text;
  if (text.find('.') != text.npos) return {};
  const std::size_t comma = text.find(',');
  if (comma == text.npos) return text;
  buffer = text;
  buffer[comma] = '.';
  return buffer;
}

}  // namespace

bool CellFormat::is_missing(std::string_view cell) const {
  if (cell.empty()) return true;
  if (is_digit(cell.front()) && missing_marks.empty() && cell.front() != '1') return false;
  return std::find(kMissing.begin(), kMissing.end(), cell) != kMissing.end() || is_mark(cell);
}

bool CellFormat::is_mark(std::string_view cell) const {
  if (missing_marks.empty()) return false;
  if (std::find(missing_marks.begin(), missing_marks.end(), cell) != missing_marks.end())
    return true;
  const std::optional<double> value = wide_number(cell);
  return value && std::any_of(missing_marks.begin(), missing_marks.end(), [&](const auto& mark) {
           return wide_number(mark) == value || CellFormat().wide_number(mark) == value;
         });
}

std::optional<float> CellFormat::number(std::string_view cell) const {
  std::string buffer;
  cell = with_point(cell, decimal, buffer);
  float value = 0;
  std::errc error = parse(cell, value);
  if (error == std::errc::result_out_of_range) {  // too large, or so small that it is nearly zero
    double wide = 0;
    error = parse(cell, wide);
    value = static_cast<float>(wide);
  }
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> CellFormat::wide_number(std::string_view cell) const {
  std::string buffer;
  double value = 0;
  const std::errc error = parse(with_point(cell, decimal, buffer), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::int64_t> to_integer(std::string_view cell) {
  std::int64_t value = 0;
  if (parse(cell, value) != std::errc()) return std::nullopt;
  return value;
}

std::optional<bool> to_boolean(std::string_view cell) {
  if (cell.size() < 2 || cell.size() > 5) return std::nullopt;
  const std::string word = lower(cell);
  if (word == "true" || word == "yes") return true;
  if (word == "false" || word == "no") return false;
  return std::nullopt;
}

std::optional<std::string> almost_number(std::string_view cell) {
  std::string text = lower(cell);
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.erase(0, 1);
  if (text == "inf" || text == "infinity") return "infinity";
  if (text.starts_with("0x") && text.size() > 2 &&
      text.find_first_not_of("0123456789abcdef", 2) == text.npos)
    return "a hexadecimal number";
  const char* what = nullptr;
  for (const std::string_view sign : {"$", "\xE2\x82\xAC", "\xC2\xA3"}) {  // dollar, euro, pound
    if (const std::size_t place = text.find(sign); place != text.npos) {
      text.erase(place, sign.size());
      what = "a currency sign";
    }
  }
  if (text.ends_with('%')) {
    text.pop_back();
    what = "a percent sign";
  }
  if (!std::any_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  if (text.find_first_not_of("0123456789.,'_ ") != text.npos) {
    // Fortran's exponents.
    const std::size_t d = text.find('d');
    if (d == text.npos || d == 0) return std::nullopt;
    text[d] = 'e';
    double value = 0;
    if (parse(text, value) != std::errc()) return std::nullopt;
    return "an exponent with D";
  }
  if (what != nullptr) return what;
  if (text.find_first_of(",'_ ") != text.npos) return "a thousands separator or a decimal comma";
  double value = 0;
  if (parse(text, value) == std::errc::result_out_of_range) return "a number that is too large";
  return std::count(text.begin(), text.end(), '.') > 1 ? "more than one point"
                                                       : "a decimal point among decimal commas";
}

std::string number_name(double value) {
  return fmt::format("{}", value);
}

}  // namespace lockstep
