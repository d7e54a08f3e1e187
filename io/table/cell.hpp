#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// How the cells of a table are to be read.
struct CellFormat {
  char decimal = '.';                      ///< '.' or ','
  std::vector<std::string> missing_marks;  ///< beside those that are known

  /// An empty cell, pandas' marks (NA, N/A, NaN, null, None, ...), "?", "-" or one of
  /// missing_marks: of a mark that is a number, any text of that number.
  bool is_missing(std::string_view cell) const;
  /// The nearest float32; none for text, NaN, infinity and what float32 cannot hold.
  std::optional<float> number(std::string_view cell) const;
  /// As number(), in double: for means, and for numbers as names.
  std::optional<double> wide_number(std::string_view cell) const;

 private:
  bool is_mark(std::string_view cell) const;
};

/// An integer of 64 bits, with or without sign.
std::optional<std::int64_t> to_integer(std::string_view cell);

/// true, yes: 1; false, no: 0; in any case of letters.
std::optional<bool> to_boolean(std::string_view cell);

/// Why text that CellFormat does not read as a number was perhaps meant as one, for people: a
/// thousands separator, a percent sign, a currency, hexadecimal, infinity; none for words.
std::optional<std::string> almost_number(std::string_view cell);

/// A number as a category's name: "1" for "1.0" and "01".
std::string number_name(double value);

constexpr std::size_t kShownOfCell = 60;  ///< characters of a cell in a message

}  // namespace lockstep
