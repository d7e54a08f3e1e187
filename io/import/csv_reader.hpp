#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/import/byte_source.hpp"

namespace lockstep {

/// The fields of one record, without quotes and without the blanks around them.
class CsvRecord {
 public:
  std::int64_t line = 0;  ///< where it begins, from 1
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t field) const;

 private:
  friend class CsvReader;
  std::string text_;               ///< all fields, one behind the other
  std::vector<std::size_t> ends_;  ///< of each field in text_
};

/// Records of comma-separated values as in RFC 4180, gzipped or plain: quoted fields may hold
/// separators, line breaks and doubled quotes. Lines end in LF or CR LF; blank ones are skipped.
class CsvReader {
 public:
  /// The separator is the most frequent one of tab, semicolon and comma in the first line.
  explicit CsvReader(const std::filesystem::path& path);

  const std::string& name() const { return source_.name(); }

  /// The next record; false at the end. Throws Error (65) with the line for wrong quotes and for
  /// records of more than 16 MiB.
  bool next(CsvRecord& record);

 private:
  static constexpr int kEnd = -1;

  void refill();
  int peek();
  int take();
  char find_separator() const;
  int read_field(CsvRecord& record);
  void read_quoted(CsvRecord& record);
  void append(CsvRecord& record, std::string_view text) const;

  ByteSource source_;
  std::vector<char> buffer_;
  std::size_t position_ = 0;
  std::size_t filled_ = 0;
  std::int64_t line_ = 1;
  char separator_ = ',';
};

}  // namespace lockstep
