#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/number_range.hpp"
#include "src/core/words.hpp"

namespace lockstep {

/// Options hold values that stand as text on a command line or in a config file. All functions here
/// throw Error (64), "expected ..., got '...'", for a text that is none.

[[noreturn]] void refuse_option(const std::string& expected, const std::string& text);

/// The number if the whole text is one.
template <class T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

template <std::integral T>
T read_integer(const std::string& text, T low, T high) {
  const auto value = parse_number<T>(text);
  if (!value || *value < low || *value > high)
    refuse_option(fmt::format("an integer from {} to {}", low, high), text);
  return *value;
}

double read_number(const std::string& text, const NumberRange& range);

/// true, yes, on, 1; false, no, off, 0.
bool read_switch(const std::string& text);

/// The words for the values of an option.
template <class T>
using Choices = std::vector<std::pair<const char*, T>>;

template <class T>
T read_choice(const std::string& text, const Choices<T>& choices) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) {
    if (text == word) return value;
    words.emplace_back(word);
  }
  refuse_option(alternatives(words), text);
}

template <class T>
const char* word_of(T value, const Choices<T>& choices) {
  return std::ranges::find(choices, value, [](const auto& choice) { return choice.second; })->first;
}

}  // namespace lockstep
