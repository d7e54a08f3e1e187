#include "src/core/keras_names.hpp"

#include <fmt/format.h>

#include <cctype>

namespace lockstep {
namespace {

bool is_upper(char letter) {
  return std::isupper(static_cast<unsigned char>(letter)) != 0;
}

bool is_lower(char letter) {
  return std::islower(static_cast<unsigned char>(letter)) != 0;
}

}  // namespace

std::string keras_snake_case(const std::string& class_name) {
  // The class is GroupedQueryAttention; .keras files have the name under which Keras shows it.
  if (class_name == "GroupQueryAttention") return "grouped_query_attention";
  std::string snake;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const char letter = class_name[i];
    const bool begins_word = i + 1 < class_name.size() && is_lower(class_name[i + 1]);
    if (i > 0 && is_upper(letter) && (begins_word || is_lower(class_name[i - 1]))) snake += '_';
    snake += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return snake;
}

std::string NameCounter::next(const std::string& base) {
  const int count = counts_[base]++;
  return count == 0 ? base : fmt::format("{}_{}", base, count);
}

std::string UniqueNames::take_free(const std::string& base) {
  if (take(base)) return base;
  for (int& count = counts_[base];;) {
    const std::string name = fmt::format("{}_{}", base, ++count);
    if (take(name)) return name;
  }
}

}  // namespace lockstep
