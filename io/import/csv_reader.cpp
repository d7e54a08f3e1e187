#include "io/import/csv_reader.hpp"

#include <algorithm>
#include <utility>

#include "io/import/utf8.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLongestRecord = std::size_t{16} << 20;
constexpr std::size_t kMostFields = 1'000'000;

}  // namespace

std::string_view CsvRecord::operator[](std::size_t field) const {
  const std::size_t begin = field == 0 ? 0 : ends_[field - 1];
  std::string_view value = std::string_view(text_).substr(begin, ends_[field] - begin);
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  return value;
}

CsvReader::CsvReader(const std::filesystem::path& path, std::optional<char> separator)
    : source_(path) {
  refill();
  // Excel's hint.
  const bool hint = buffer_.starts_with("sep=") && buffer_.size() > 5 && buffer_[5] == '\n';
  if (hint) {
    separator_ = buffer_[4];
    position_ = 5;
  } else {
    separator_ = find_separator(buffer_);
  }
  if (separator) separator_ = *separator;
}

void CsvReader::refill() {
  buffer_ = rest_.empty() ? source_.next() : std::exchange(rest_, {});
  position_ = 0;
}

int CsvReader::peek() {
  if (position_ == buffer_.size()) refill();
  return buffer_.empty() ? kEnd : static_cast<unsigned char>(buffer_[position_]);
}

int CsvReader::take() {
  const int c = peek();
  if (c != kEnd) ++position_;
  if (c == '\n') ++line_;
  return c;
}

void CsvReader::skip_blanks() {
  while (peek() == ' ' || (peek() == '\t' && separator_ != '\t')) take();
}

bool CsvReader::is_separator(int c) const {
  return c == static_cast<unsigned char>(separator_) || (separator_ == kBlanks && c == '\t');
}

bool CsvReader::next(CsvRecord& record) {
  do {
    while (peek() == '\n') take();
    if (peek() == kEnd) return false;
    record.text_.clear();
    record.ends_.clear();
    record.line = line_;
    record.hash = peek() == '#';
    quotes_count_ = !record.hash || quotes_count_in_hash_line(record);
    while (read_field(record)) {
    }
    seen_data_ = seen_data_ || !record.hash;
  } while (record.size() == 1 && record[0].empty());
  const std::size_t valid = valid_utf8(record.text_);
  check(valid == record.text_.size(), ExitCode::kBadData,
        "[csv] {}, line {}: expected UTF-8 or UTF-16, got other bytes (0x{:02x}): convert the "
        "file, for example by iconv -f latin1 -t utf8",
        name(), record.line, static_cast<unsigned char>(record.text_[valid]));
  return true;
}

/// A comment may have quotes as it likes. A record is one all the same if they close in its line,
/// or, below others, if no blank follows the #.
bool CsvReader::quotes_count_in_hash_line(const CsvRecord& record) {
  hash_line_.clear();
  while (peek() != kEnd) {  // block by block
    const std::string_view rest = buffer_.substr(position_);
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    check(hash_line_.size() + length <= kLongestRecord, ExitCode::kBadData,
          "[csv] {}, line {}: expected a record of at most {} bytes, got more", name(), record.line,
          kLongestRecord);
    hash_line_ += rest.substr(0, length);
    position_ += length;
    if (position_ < buffer_.size()) break;
  }
  rest_ = buffer_.substr(position_);
  buffer_ = hash_line_;  // to be read once more
  position_ = 0;
  const bool like_comment = hash_line_.size() < 2 || hash_line_[1] == ' ' || hash_line_[1] == '\t';
  return quotes_close(hash_line_) || (seen_data_ && !like_comment);
}

/// Whether every quote that opens a field of the line closes at the end of a field.
bool CsvReader::quotes_close(std::string_view line) const {
  const auto skip = [&](std::size_t i) {
    while (i < line.size() && (line[i] == ' ' || (line[i] == '\t' && separator_ != '\t'))) ++i;
    return i;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {  // from field to field
    i = skip(i);
    if (i < line.size() && line[i] == '"') {
      do {
        i = line.find('"', i + 1);
        if (i == line.npos) return false;
      } while (++i < line.size() && line[i] == '"');
      if (separator_ != kBlanks) i = skip(i);
      if (i < line.size() && !is_separator(static_cast<unsigned char>(line[i]))) return false;
    } else {
      while (i < line.size() && !is_separator(static_cast<unsigned char>(line[i]))) ++i;
    }
  }
  return true;
}

/// Reads a field and what ends it; whether another one follows.
bool CsvReader::read_field(CsvRecord& record) {
  check(record.size() < kMostFields, ExitCode::kBadData,
        "[csv] {}, line {}: expected a record of at most {} fields, got more", name(), record.line,
        kMostFields);
  skip_blanks();
  if (peek() == '"' && quotes_count_) {
    take();
    read_quoted(record);
  } else {
    while (peek() != kEnd) {  // block by block
      const std::string_view rest = buffer_.substr(position_);
      const auto end = std::find_if(rest.begin(), rest.end(), [this](char c) {
        return c == '\n' || is_separator(static_cast<unsigned char>(c));
      });
      const auto length = static_cast<std::size_t>(end - rest.begin());
      append(record, rest.substr(0, length));
      position_ += length;
      if (position_ < buffer_.size()) break;
    }
  }
  record.ends_.push_back(record.text_.size());
  const bool blank_follows = peek() == ' ' || peek() == '\t';
  skip_blanks();
  if (separator_ == kBlanks) {
    if (peek() == '\n' || peek() == kEnd) {
      take();
      return false;
    }
    check(blank_follows, ExitCode::kBadData,
          "[csv] {}, line {}: expected a blank after a closing quote, got more text", name(),
          record.line);
    return true;
  }
  const int c = take();
  check(is_separator(c) || c == '\n' || c == kEnd, ExitCode::kBadData,
        "[csv] {}, line {}: expected a separator after a closing quote, got more text", name(),
        record.line);
  return is_separator(c);
}

/// Behind the opening quote, up to and with the closing one.
void CsvReader::read_quoted(CsvRecord& record) {
  for (;;) {
    const int c = take();
    check(c != kEnd, ExitCode::kBadData,
          "[csv] {}, line {}: expected a closing quote, got the end of the file", name(),
          record.line);
    if (c == '"') {
      if (peek() != '"') return;
      take();
    }
    const char letter = static_cast<char>(c);
    append(record, {&letter, 1});
  }
}

void CsvReader::append(CsvRecord& record, std::string_view text) const {
  check(record.text_.size() + text.size() <= kLongestRecord, ExitCode::kBadData,
        "[csv] {}, line {}: expected a record of at most {} bytes, got more (an unclosed quote?)",
        name(), record.line, kLongestRecord);
  record.text_.append(text);
}

}  // namespace lockstep
