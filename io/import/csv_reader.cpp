#include "io/import/csv_reader.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLongestRecord = std::size_t{16} << 20;

/// Whether the bytes are UTF-8 in form (overlong forms are not looked for).
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i++]);
    if (c < 0x80) continue;
    int tail = c >= 0xF0 && c < 0xF5 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC2 ? 1 : -1;
    if (c >= 0xF5) tail = -1;
    if (tail < 0) return false;
    for (; tail > 0; --tail, ++i) {
      if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

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
  buffer_ = source_.next();
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
    while (read_field(record)) {
    }
  } while (record.size() == 1 && record[0].empty());
  check(is_utf8(record.text_), ExitCode::kBadData,
        "[csv] {}, line {}: expected UTF-8 or UTF-16, got other bytes: convert the file, for "
        "example by iconv -f latin1 -t utf8",
        name(), record.line);
  return true;
}

/// Reads a field and what ends it; whether another one follows.
bool CsvReader::read_field(CsvRecord& record) {
  skip_blanks();
  if (peek() == '"' && !record.hash) {
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
