#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep {

/// How a text becomes tokens, as Keras's Tokenizer has it: letters become lower case, then, for
/// words, every character of `filter` a blank; words are what stands between white space.
/// Characters are code points.
struct TokenRules {
  enum class Unit { kWords, kCharacters };
  /// Keras's, with which words lose their punctuation.
  static constexpr const char* kKerasFilter = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

  Unit unit = Unit::kWords;
  bool lower = true;
  std::string filter = kKerasFilter;  ///< UTF-8; of words only

  /// Calls `take` with each token of valid UTF-8, in order.
  void for_each(std::string_view text, const std::function<void(std::string_view)>& take) const;
  /// What stands between two tokens of a text: "" or " ".
  const char* between() const { return unit == Unit::kWords ? " " : ""; }
};

const char* to_text(TokenRules::Unit unit);  ///< "words", "characters"

/// Counts tokens, to number them.
class VocabularyCounts {
 public:
  void add(std::string_view token);
  /// At most `most` tokens: the most frequent ones first, those of equal frequency as they first
  /// appeared. This is the order of Keras's Tokenizer.
  std::vector<std::string> vocabulary(std::size_t most) const;
  std::size_t distinct() const { return entries_.size(); }

 private:
  struct Entry {
    std::string token;
    std::int64_t count = 0;
  };
  std::vector<Entry> entries_;  ///< as they first appeared
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace lockstep
