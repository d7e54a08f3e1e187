#include "io/import/csv_reader.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18;
constexpr std::size_t kLongestRecord = std::size_t{16} << 20;

}  // namespace

std::string_view CsvRecord::operator[](std::size_t field) const {
  const std::size_t begin = field == 0 ? 0 : ends_[field - 1];
  std::string_view value = std::string_view(text_).substr(begin, ends_[field] - begin);
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  return value;
}

CsvReader::CsvReader(const std::filesystem::path& path) : source_(path), buffer_(kBuffer) {
  refill();
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::string_view(buffer_.data(), filled_).starts_with(kByteOrderMark)) {
    position_ = kByteOrderMark.size();
  }
  separator_ = find_separator();
}

void CsvReader::refill() {
  filled_ = source_.read(std::as_writable_bytes(std::span(buffer_)));
  position_ = 0;
}

int CsvReader::peek() {
  if (position_ == filled_) refill();
  return filled_ == 0 ? kEnd : static_cast<unsigned char>(buffer_[position_]);
}

int CsvReader::take() {
  const int c = peek();
  if (c != kEnd) ++position_;
  if (c == '\n') ++line_;
  return c;
}

char CsvReader::find_separator() const {
  constexpr std::array<char, 3> kSeparators = {'\t', ';', ','};
  std::array<int, 3> counts = {};
  bool quoted = false;
  bool begun = false;  // blank lines in front do not count
  for (std::size_t i = position_; i < filled_; ++i) {
    const char c = buffer_[i];
    if (c == '\n' && begun && !quoted) break;
    begun = begun || (c != '\n' && c != '\r');
    if (c == '"') quoted = !quoted;
    for (std::size_t s = 0; s < kSeparators.size(); ++s) {
      if (!quoted && c == kSeparators[s]) ++counts[s];
    }
  }
  const auto best = std::max_element(counts.begin(), counts.end());
  return *best == 0 ? ',' : kSeparators[static_cast<std::size_t>(best - counts.begin())];
}

bool CsvReader::next(CsvRecord& record) {
  while (peek() == '\n' || peek() == '\r') take();
  if (peek() == kEnd) return false;
  record.text_.clear();
  record.ends_.clear();
  record.line = line_;
  int last = 0;
  do {
    last = read_field(record);
    record.ends_.push_back(record.text_.size());
  } while (last == separator_);
  return true;
}

/// Reads a field and what ends it: the separator, LF or kEnd, which is returned.
int CsvReader::read_field(CsvRecord& record) {
  if (peek() == '"') {
    take();
    read_quoted(record);
    while (peek() == ' ' || peek() == '\r') take();
    const int c = take();
    check(c == separator_ || c == '\n' || c == kEnd, ExitCode::kBadData,
          "[csv] {}, line {}: expected a separator after a closing quote, got more text", name(),
          record.line);
    return c;
  }
  while (peek() != kEnd) {  // block by block
    const char* data = buffer_.data();
    const char* begin = data + position_;
    const char* end = std::find_if(begin, data + filled_,
                                   [this](char c) { return c == separator_ || c == '\n'; });
    append(record, {begin, end});
    position_ += static_cast<std::size_t>(end - begin);
    if (position_ < filled_) break;
  }
  return take();
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
    append(record, {buffer_.data() + position_ - 1, 1});
  }
}

void CsvReader::append(CsvRecord& record, std::string_view text) const {
  check(record.text_.size() + text.size() <= kLongestRecord, ExitCode::kBadData,
        "[csv] {}, line {}: expected a record of at most {} bytes, got more (an unclosed quote?)",
        name(), record.line, kLongestRecord);
  record.text_.append(text);
}

}  // namespace lockstep
