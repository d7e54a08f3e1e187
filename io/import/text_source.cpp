#include "io/import/text_source.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "io/import/utf8.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18;
constexpr char32_t kReplacement = 0xFFFD;  // for a surrogate that stands alone

using Foreign = std::pair<std::string_view, const char*>;
/// How files begin that are taken for tables.
constexpr auto kForeign = std::to_array<Foreign>({
    {"PK\x03\x04", "a zip archive (an Excel file?): export the sheet as CSV, or unzip it"},
    {"\xD0\xCF\x11\xE0", "an old Excel file: export the sheet as CSV"},
    {"PAR1", "a Parquet file: pandas.read_parquet(...).to_csv(...) converts it"},
    {"\x89HDF", "an HDF5 file: lockstep train reads it without import"},
    {"version https://git-lfs", "a pointer of git-lfs: git lfs pull fetches the file itself"},
    {"<!DOCTYPE", "an HTML page: download the file itself (the 'raw' link)"},
    {"<!doctype", "an HTML page: download the file itself (the 'raw' link)"},
    {"<html", "an HTML page: download the file itself (the 'raw' link)"},
});

}  // namespace

TextSource::TextSource(const std::filesystem::path& path) : source_(path), bytes_(kPiece) {
  filled_ = source_.read(std::as_writable_bytes(std::span(bytes_)));
  const std::string_view head(bytes_.data(), filled_);
  for (const auto& [mark, what] : kForeign) {
    check(!head.starts_with(mark), ExitCode::kBadData, "[csv] {}: expected a table as text, got {}",
          name(), what);
  }
  find_encoding();
}

void TextSource::find_encoding() {
  const std::string_view head(bytes_.data(), filled_);
  const auto zero = [&](std::size_t i) { return i < head.size() && head[i] == '\0'; };
  if (head.starts_with("\xEF\xBB\xBF")) {
    begin_ = 3;
  } else if (head.starts_with("\xFF\xFE")) {
    encoding_ = Encoding::kUtf16Little;
    begin_ = 2;
  } else if (head.starts_with("\xFE\xFF")) {
    encoding_ = Encoding::kUtf16Big;
    begin_ = 2;
  } else if (zero(1) && zero(3) && !zero(0) && !zero(2)) {  // without a mark
    encoding_ = Encoding::kUtf16Little;
  } else if (zero(0) && zero(2) && !zero(1) && !zero(3)) {
    encoding_ = Encoding::kUtf16Big;
  }
}

std::string_view TextSource::next() {
  do {
    if (filled_ == 0) return {};
    const std::string_view bytes(bytes_.data() + begin_, filled_ - begin_);
    text_.clear();
    if (encoding_ == Encoding::kUtf8) {
      text_ = bytes;
    } else {
      decode_utf16(bytes);
    }
    end_lines_in_lf();
    begin_ = 0;
    filled_ = source_.read(std::as_writable_bytes(std::span(bytes_)));
  } while (text_.empty());
  return text_;
}

/// Pieces have an even number of bytes, but for the last one of a damaged file.
void TextSource::decode_utf16(std::string_view bytes) {
  check(bytes.size() % 2 == 0, ExitCode::kBadData,
        "[csv] {}: expected UTF-16 with two bytes a character, got an odd number of bytes", name());
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    const auto second = static_cast<unsigned char>(bytes[i + 1]);
    const bool little = encoding_ == Encoding::kUtf16Little;
    const auto unit = static_cast<char32_t>(little ? second << 8 | first : first << 8 | second);
    const bool low = unit >= 0xDC00 && unit < 0xE000;
    if (high_surrogate_ != 0) {
      append_utf8(
          low ? 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (unit - 0xDC00) : kReplacement,
          text_);
    }
    const bool completes = high_surrogate_ != 0 && low;
    high_surrogate_ = unit >= 0xD800 && unit < 0xDC00 ? unit : 0;
    if (completes || high_surrogate_ != 0) continue;
    append_utf8(low ? kReplacement : unit, text_);
  }
}

void TextSource::end_lines_in_lf() {
  if (!after_return_ && text_.find('\r') == text_.npos) return;
  std::size_t out = 0;
  for (const char c : text_) {
    const bool second_half = c == '\n' && after_return_;
    after_return_ = c == '\r';
    if (!second_half) text_[out++] = after_return_ ? '\n' : c;
  }
  text_.resize(out);
}

}  // namespace lockstep
