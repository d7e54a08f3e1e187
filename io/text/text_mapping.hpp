#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/import/import.hpp"
#include "io/table/table_mapping.hpp"
#include "io/text/token_rules.hpp"

namespace lockstep {

/// Which side of a sequence is filled up, or cut off: Keras's pad_sequences.
enum class Side { kPre, kPost };

/// How texts become rows of numbers: made once from the training texts, kept in the dataset and in
/// the model's file, applied to every other text.
struct TextMapping {
  static constexpr std::int64_t kPadding = 0;
  static constexpr std::int64_t kUnknown = 1;  ///< every token that the vocabulary lacks
  static constexpr std::int64_t kFirst = 2;    ///< of vocabulary[0]

  TokenRules rules;
  std::vector<std::string> vocabulary;
  std::int64_t length = 0;  ///< of a row
  Side padding = Side::kPre;
  Side truncating = Side::kPre;
  bool next = false;   ///< of a language model: targets are the next tokens
  std::string column;  ///< that the texts are in; empty: each line is a text
  TableMapping table;  ///< without features: the labels, and how tables are read

  /// How many numbers there are: Embedding's input_dim.
  std::int64_t numbers() const { return kFirst + static_cast<std::int64_t>(vocabulary.size()); }
  /// Of the text: "" for padding and for what is unknown.
  std::string_view token(std::int64_t number) const;
};

/// JSON in ASCII.
std::string to_json_text(const TextMapping& mapping);
/// Whether the mapping in a dataset or model is one of texts; it may be empty.
bool is_text_mapping(const std::string& json);
/// Throws Error (65) with `where` if it is not what to_json_text writes.
TextMapping text_mapping_from_json(const std::string& json, const std::string& where);

/// What was met on the way from texts to rows.
struct TextCounts {
  std::int64_t tokens = 0;
  std::int64_t unknown = 0;
  std::int64_t truncated = 0;  ///< texts
  std::int64_t empty = 0;      ///< texts without a token
};

/// Numbers texts by a mapping, which must outlive it.
class TextEncoder {
 public:
  explicit TextEncoder(const TextMapping& mapping);
  /// A number for each token.
  std::vector<std::int32_t> numbers(std::string_view text) const;
  /// (texts, length) of the smallest integer type, filled up and cut off.
  Array rows(const std::vector<std::string_view>& texts, TextCounts& counts) const;

 private:
  const TextMapping& mapping_;
  std::unordered_map<std::string_view, std::int32_t> numbers_;
};

/// The smallest of uint8, uint16 and int32 that holds the mapping's numbers.
ElementType type_of_numbers(const TextMapping& mapping);
/// (rows, length) of that type; `numbers` holds as many.
Array array_of_numbers(const TextMapping& mapping, const std::vector<std::int32_t>& numbers);

}  // namespace lockstep
