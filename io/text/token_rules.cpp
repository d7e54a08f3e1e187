#include "io/text/token_rules.hpp"

#include <algorithm>

#include "io/import/utf8.hpp"
#include "io/text/lower_case.hpp"

namespace lockstep {
namespace {

std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for (std::size_t at = 0; at < text.size();) characters += next_character(text, at);
  return characters;
}

bool is_white_space(char32_t code) {
  return code == ' ' || (code >= '\t' && code <= '\r');
}

}  // namespace

const char* to_text(TokenRules::Unit unit) {
  return unit == TokenRules::Unit::kWords ? "words" : "characters";
}

void TokenRules::for_each(std::string_view text,
                          const std::function<void(std::string_view)>& take) const {
  const std::u32string filtered = characters_of(filter);
  std::string token;
  const auto finish = [&] {
    if (!token.empty()) take(token);
    token.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    char32_t code = next_character(text, at);
    if (lower) code = lower_case(code);
    if (unit == Unit::kCharacters) {
      append_utf8(code, token);
      finish();
    } else if (is_white_space(code) || filtered.find(code) != filtered.npos) {
      finish();
    } else {
      append_utf8(code, token);
    }
  }
  finish();
}

void VocabularyCounts::add(std::string_view token) {
  const auto [place, is_new] = index_.try_emplace(std::string(token), entries_.size());
  if (is_new) entries_.push_back({place->first, 0});
  ++entries_[place->second].count;
}

std::vector<std::string> VocabularyCounts::vocabulary(std::size_t most) const {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::ranges::stable_sort(order, std::ranges::greater(), &Entry::count);
  order.resize(std::min(order.size(), most));
  std::vector<std::string> tokens;
  for (const Entry* entry : order) tokens.push_back(entry->token);
  return tokens;
}

}  // namespace lockstep
