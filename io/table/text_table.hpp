#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/table/cell.hpp"

namespace lockstep {

/// What the user says of how a table is written; what is not set is found out.
struct TableFormat {
  std::optional<bool> header = {};
  std::optional<char> separator = {};
  std::optional<char> decimal = {};
  std::vector<std::string> missing_marks = {};  ///< beside those that are known
  std::size_t columns = 1;  ///< without a header: the least to be left if the last ones are empty
};

/// A table in memory as text: rows of cells with the columns' names.
class TextTable {
 public:
  /// Decides by itself on separator, decimal comma, header and index column. `wanted`: columns that
  /// options name: if one is an entry of the first line, that is a header. Throws Error: 66, 77,
  /// 74; 65 with the line for rows of another length, or if it cannot tell whether the first line
  /// is a header.
  TextTable(const std::filesystem::path& path, const TableFormat& format,
            std::span<const std::string> wanted = {});

  const std::string& name() const { return name_; }
  std::size_t rows() const { return lines_.size(); }
  std::size_t columns() const { return names_.size(); }
  bool has_header() const { return header_line_ > 0; }
  std::int64_t header_line() const { return header_line_; }
  char separator() const { return separator_; }
  const CellFormat& cells() const { return cells_; }

  /// Of the header, or "0", "1", ... A column without a name in the header is "Unnamed: 3".
  const std::string& column_name(std::size_t column) const { return names_[column]; }
  std::string_view cell(std::size_t row, std::size_t column) const;
  std::int64_t line(std::size_t row) const { return lines_[row]; }  ///< in the file, from 1
  /// "[csv] FILE, line 3, column 2 (age)", for messages.
  std::string place(std::size_t row, std::size_t column) const;

  /// Of a name, or of an index from 0 (negative: from the end). Throws Error (65) for neither, or
  /// for one text that is both, of different columns.
  std::size_t find(const std::string& column) const;
  /// Several with commas; a name that has commas itself may stand alone or in double quotes.
  std::vector<std::size_t> find_all(const std::string& columns) const;
  std::optional<std::size_t> column_named(std::string_view name) const;

  /// Throws Error (65) for two columns of one name, but for the unused ones.
  void check_names(std::span<const std::size_t> unused) const;

  /// Whether several columns have this name; the second is "name.1", as in pandas.
  bool has_several(std::string_view name) const;

  /// The column of row numbers or row names that pandas or R put in front.
  std::optional<std::size_t> index_column() const { return index_column_; }
  /// What was left out, for people.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  void read(const std::filesystem::path& path, const TableFormat& format);
  void add_row(const class CsvRecord& record);
  void find_decimal(const TableFormat& format);
  bool decide_header(const TableFormat& format, std::span<const std::string> wanted) const;
  void take_header();
  void drop_empty_last_columns(const TableFormat& format);
  void find_index_column();
  void rename_duplicates();
  bool last_column_is_empty() const;

  std::string name_;
  char separator_ = ',';
  CellFormat cells_;
  std::string text_;                   ///< all cells, one behind the other
  std::vector<std::uint64_t> begins_;  ///< of each row in text_
  std::vector<std::uint32_t> ends_;    ///< of each cell, from the beginning of its row
  std::vector<std::int64_t> lines_;    ///< of each row
  std::size_t stride_ = 0;             ///< cells of a row in ends_
  std::vector<std::string> first_;     ///< the first line's fields
  std::int64_t first_line_ = 0;
  std::int64_t header_line_ = 0;  ///< 0: none
  std::vector<std::string> names_;
  struct Duplicate {
    std::size_t first = 0;
    std::size_t second = 0;
    std::string name;  ///< of both, in the file
  };
  std::vector<Duplicate> duplicates_;
  std::optional<std::size_t> index_column_;
  std::int64_t comments_ = 0;
  std::int64_t empty_rows_ = 0;
  std::vector<std::string> remarks_;
};

}  // namespace lockstep
