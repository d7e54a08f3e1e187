#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/import/import.hpp"
#include "io/table/dates.hpp"
#include "io/table/text_table.hpp"
#include "io/table/windows.hpp"

namespace lockstep {

/// How a column of a table becomes features of the network.
struct ColumnMapping {
  enum class Kind {
    kNumber,      ///< as it is
    kBoolean,     ///< true, yes: 1; false, no: 0
    kDate,        ///< days since 1970-01-01; with `has_times` seconds since `origin`
    kCategories,  ///< a feature of 0 or 1 for each category
    kOrdinal,     ///< the category's index
  };
  std::string name = {};
  Kind kind = Kind::kNumber;
  std::vector<std::string> categories = {};
  bool numeric = false;  ///< the categories are numbers: "1.0" is "1"
  DateOrder order = DateOrder::kYearMonthDay;
  bool has_times = false;
  /// The first day of the rows to train on, in days since 1970-01-01, if there are times: float32
  /// holds all seconds of half a year, but none of those since 1970.
  std::int64_t origin = 0;
  std::string missing = "error";  ///< what was done: error, mean, median, most, zero, drop, ...
  /// For a missing cell: the number, or the category's index (-1: none of them). Not set: refuse.
  std::optional<double> fill = {};
  bool indicator = false;  ///< a feature more, 1 where a cell is missing

  std::size_t width() const {
    return (kind == Kind::kCategories ? categories.size() : 1) + (indicator ? 1 : 0);
  }
  /// A mark of missing values, but no word of the categories: "None" may be one that the user gave.
  bool is_missing(std::string_view cell, const CellFormat& format) const;
  /// Of a date.
  double number_of(const Date& date) const;
  /// "days since 1970-01-01"; "seconds since 2020-01-31".
  std::string unit() const;
  /// "age"; "port=C", "port=Q"; with an indicator "age missing".
  std::vector<std::string> feature_names() const;
};

/// A column that is predicted.
struct LabelMapping {
  std::string name;
  std::vector<std::string> classes;  ///< class i is classes[i]; empty: numbers
  bool numeric = false;              ///< the classes are numbers: "1.0" is "1"
  bool integers = false;             ///< numbers, all of them integers
  bool is_zero_or_one = false;       ///< integers, and there are no others
};

/// How the rows of a table become rows of numbers: made once from a training table, kept in the
/// dataset and in the model's file, applied to every other table.
struct TableMapping {
  bool header = true;
  std::size_t columns = 0;  ///< of the training table; those without a header go by position
  char decimal = '.';
  std::vector<std::string> missing_marks;
  std::vector<ColumnMapping> features;
  std::vector<LabelMapping> labels;
  std::string id;                    ///< the name of the column that names the rows; empty: none
  std::vector<std::string> dropped;  ///< columns of the training table that are not used
  WindowRule windows;                ///< of rows, if its length is not 0: else each row is a sample

  std::size_t feature_count() const;
  std::vector<std::string> feature_names() const;
  /// The classes of a single label; empty: numbers.
  const std::vector<std::string>& classes() const;
};

/// JSON; every number keeps its bits.
std::string to_json_text(const TableMapping& mapping);
/// Throws Error (65) with `where` if it is not what to_json_text writes. `of_texts`: there may be
/// no features.
TableMapping table_mapping_from_json(const std::string& text, const std::string& where,
                                     bool of_texts = false);

/// What to do with a word that the training table does not have.
enum class Unknown { kRefuse, kZero };

/// Rows of numbers out of a table.
struct MappedRows {
  Array x;                           ///< float32 (rows, feature_count())
  std::vector<std::string> ids;      ///< empty: the table has no such column
  std::vector<std::string> ignored;  ///< columns that the mapping does not know
  std::int64_t unknown = 0;          ///< cells of unknown words that became zeros
};

/// These rows of a table, in this order. Columns go by their names; without a header by position,
/// with or without the labels'. Throws Error (65) with line and column: a missing column, a missing
/// value that the mapping has no fill for, a cell of another kind, an unknown word.
MappedRows map_rows(const TextTable& table, const TableMapping& mapping,
                    const std::vector<std::size_t>& rows, Unknown unknown);
/// All rows.
MappedRows map_rows(const TextTable& table, const TableMapping& mapping, Unknown unknown);

/// The format in which a table for this mapping is read; separator and decimal as the user says.
TableFormat format_for(const TableMapping& mapping, const TableFormat& said);

/// Where a column of the mapping is in a table; none if it lacks it. Without a header columns go by
/// position, with or without the labels'.
std::optional<std::size_t> find_column(const TextTable& table, const TableMapping& mapping,
                                       const std::string& name);

/// The label columns as y: int64 for classes and integers, else float32; (rows) or, with several
/// labels, (rows, labels). Throws Error (65) with line and column.
Array map_labels(const TextTable& table, const TableMapping& mapping,
                 const std::vector<std::size_t>& rows);

}  // namespace lockstep
