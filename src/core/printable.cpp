#include "src/core/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

char lower(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

/// Levenshtein's distance; a letter's case does not count.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// A character of a text in UTF-8; what is none: code 0, one byte.
struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

/// Neither overlong forms nor surrogates nor what lies above U+10FFFF.
Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < bytes) return {};
  char32_t code = first & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < kLeast[bytes] || surrogate || code > 0x10ffff ? Character{}
                                                              : Character{code, bytes};
}

/// Neither controls (terminals obey them), nor what reverses or hides other characters:
/// bidirectional and interlinear marks, zero widths but the joiners of scripts, tags, private use,
/// noncharacters.
bool is_visible(char32_t code) {
  constexpr std::pair<char32_t, char32_t> kHidden[] = {
      {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x61c, 0x61c},
      {0x180e, 0x180e}, {0x200b, 0x200b},   {0x200e, 0x200f},   {0x2028, 0x202e},
      {0x2060, 0x206f}, {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
      {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff}};
  if ((code & 0xfffe) == 0xfffe) return false;
  return std::ranges::none_of(
      kHidden, [code](const auto& range) { return code >= range.first && code <= range.second; });
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    if (at + next.bytes > limit) return result + "...";
    if (is_visible(next.code)) {
      result += text.substr(at, next.bytes);
    } else {
      for (const char byte : text.substr(at, next.bytes))
        result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    at += next.bytes;
  }
  return result;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  if (known.empty() || word.size() > 64) return "";
  const auto nearest = std::ranges::min_element(
      known, {}, [word](const std::string& candidate) { return edits(word, candidate); });
  return edits(word, *nearest) <= 1 + nearest->size() / 3
             ? fmt::format("; did you mean '{}'?", *nearest)
             : "";
}

}  // namespace lockstep
