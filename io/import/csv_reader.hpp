#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/import/csv_dialect.hpp"
#include "io/import/text_source.hpp"

namespace lockstep {

/// The fields of one record, without quotes and without the blanks around them.
class CsvRecord {
 public:
  std::int64_t line = 0;  ///< where it begins, from 1
  bool hash = false;      ///< it begins with #
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t field) const;

 private:
  friend class CsvReader;
  std::string text_;               ///< all fields, one behind the other
  std::vector<std::size_t> ends_;  ///< of each field in text_
};

/// Records of separated values as in RFC 4180, gzipped or plain, UTF-8 or UTF-16: quoted fields may
/// hold separators, line breaks and doubled quotes. Blank lines are skipped.
class CsvReader {
 public:
  /// Without `separator` it is find_separator() of the file's beginning, or what a first line
  /// "sep=;" says.
  explicit CsvReader(const std::filesystem::path& path, std::optional<char> separator = {});

  const std::string& name() const { return source_.name(); }
  char separator() const { return separator_; }

  /// The next record; false at the end. Throws Error (65) with the line for wrong quotes, text that
  /// is not UTF-8, and records of more than 16 MiB or a million fields.
  bool next(CsvRecord& record);

 private:
  static constexpr int kEnd = -1;

  void refill();
  int peek();
  int take();
  void skip_blanks();
  bool is_separator(int c) const;
  bool quotes_count_in_hash_line(const CsvRecord& record);
  bool quotes_close(std::string_view line) const;
  bool read_field(CsvRecord& record);
  void read_quoted(CsvRecord& record);
  void append(CsvRecord& record, std::string_view text) const;

  TextSource source_;
  std::string_view buffer_;
  std::string_view rest_;  ///< comes behind buffer_
  std::string hash_line_;
  bool quotes_count_ = true;
  bool seen_data_ = false;  ///< a record that does not begin with #
  std::size_t position_ = 0;
  std::int64_t line_ = 1;
  char separator_ = ',';
};

}  // namespace lockstep
