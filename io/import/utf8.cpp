#include "io/import/utf8.hpp"

#include <utility>

namespace lockstep {
namespace {

/// What may follow a first byte: overlong forms, surrogates and what is above U+10FFFF begin with
/// a second byte out of these bounds.
std::pair<unsigned char, unsigned char> second_byte_bounds(unsigned char first) {
  if (first == 0xE0) return {0xA0, 0xBF};
  if (first == 0xED) return {0x80, 0x9F};
  if (first == 0xF0) return {0x90, 0xBF};
  if (first == 0xF4) return {0x80, 0x8F};
  return {0x80, 0xBF};
}

int tail_bytes(unsigned char first) {
  return first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0x80 ? 1 : 0;
}

}  // namespace

std::size_t valid_utf8(std::string_view text) {
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t i = begin;
    const auto c = static_cast<unsigned char>(text[i++]);
    if (c >= 0x80 && (c < 0xC2 || c > 0xF4)) return begin;
    auto [low, high] = second_byte_bounds(c);
    for (int tail = tail_bytes(c); tail > 0; --tail, ++i) {
      if (i == text.size()) return begin;
      const auto next = static_cast<unsigned char>(text[i]);
      if (next < low || next > high) return begin;
      low = 0x80;
      high = 0xBF;
    }
    begin = i;
  }
  return text.size();
}

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  const int tail = tail_bytes(first);
  char32_t code = tail == 0 ? first : first & (0x3FU >> tail);
  for (int i = 0; i < tail; ++i) code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3F);
  return code;
}

void append_utf8(char32_t code, std::string& text) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace lockstep
