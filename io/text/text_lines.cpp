#include "io/text/text_lines.hpp"

#include <algorithm>
#include <string_view>

#include "io/import/text_source.hpp"
#include "io/import/utf8.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {

std::string read_text(const std::filesystem::path& path) {
  TextSource source(path);
  std::string text;
  for (std::string_view piece = source.next(); !piece.empty(); piece = source.next()) text += piece;
  const std::size_t valid = valid_utf8(text);
  if (valid == text.size()) return text;
  const std::string_view before = std::string_view(text).substr(0, valid);
  const std::size_t line_begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  fail(ExitCode::kBadData,
       "[text] {}, line {}, byte {}: expected UTF-8 or UTF-16, got the byte 0x{:02x}: convert the "
       "file, for example by iconv -f latin1 -t utf8",
       printable(source.name()), 1 + std::ranges::count(before, '\n'), valid - line_begin + 1,
       static_cast<unsigned char>(text[valid]));
}

TextLines read_text_lines(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  TextLines result;
  std::int64_t line = 1;
  for (std::size_t first = 0; first < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', first), text.size());
    std::string one = text.substr(first, end - first);
    first = end + 1;
    if (one.find_first_not_of(" \t\v\f") == one.npos) continue;
    result.texts.push_back(std::move(one));
    result.lines.push_back(line);
  }
  check(!result.texts.empty(), ExitCode::kBadData, "[text] {}: expected a text, got none",
        printable(path.string()));
  return result;
}

}  // namespace lockstep
