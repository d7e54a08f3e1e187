#pragma once

#include "io/table/table_mapping.hpp"

namespace lockstep {

/// What is in a column of a training table.
struct ColumnContent {
  std::size_t missing = 0;
  std::size_t numbers = 0;
  std::size_t booleans = 0;       ///< true and false, or yes and no, not both pairs
  std::size_t words = 0;          ///< anything else
  std::size_t first_missing = 0;  ///< rows
  std::size_t first_number = 0;
  std::size_t first_word = 0;
  std::vector<std::string> distinct;  ///< cells that are not missing, sorted, each once
  std::size_t rows() const { return missing + numbers + booleans + words; }
};
/// In these rows. Numbers are among the distinct cells only if asked for; `words` are never
/// missing.
ColumnContent look_at(const TextTable& table, std::size_t column,
                      const std::vector<std::size_t>& rows, bool distinct_numbers = false,
                      const std::vector<std::string>& words = {});

/// Kind, categories and date order of a column of which the user says nothing. Throws Error (65).
ColumnMapping guess_column(const TextTable& table, std::size_t column,
                           const ColumnContent& content);

/// Categories of a column that the user calls categorical or ordinal: sorted, numbers by value.
ColumnMapping column_of_words(const TextTable& table, std::size_t column,
                              const ColumnContent& content, ColumnMapping::Kind kind);

/// A column of dates of this order, or of the only one that fits. Throws Error (65).
ColumnMapping column_of_dates(const TextTable& table, std::size_t column,
                              std::optional<DateOrder> order);

/// The distinct cells as names: numbers by value, each once, if all are numbers.
struct Names {
  std::vector<std::string> names;
  bool numeric = false;
};
Names names_in_order(const std::vector<std::string>& distinct, const CellFormat& format);

}  // namespace lockstep
