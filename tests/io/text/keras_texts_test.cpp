// What Keras 2's Tokenizer and pad_sequences make of texts: tests/reference/keras_texts.py.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "io/text/text_mapping.hpp"

namespace lockstep {
namespace {

using nlohmann::json;

TextMapping mapping_of(const json& one) {
  TextMapping mapping;
  const bool words = one["tokens"] == "words";
  mapping.rules.unit = words ? TokenRules::Unit::kWords : TokenRules::Unit::kCharacters;
  mapping.rules.lower = one.value("lower", true);
  mapping.rules.filter = words ? one.value("filter", TokenRules::kKerasFilter) : "";
  mapping.length = one["length"];
  mapping.padding = one["padding"] == "pre" ? Side::kPre : Side::kPost;
  mapping.truncating = one["truncating"] == "pre" ? Side::kPre : Side::kPost;
  return mapping;
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

TEST(KerasTexts, GiveTheSameVocabularyAndRows) {
  std::ifstream file(LOCKSTEP_KERAS_TEXTS);
  const json expected = json::parse(file);
  const std::vector<std::string> texts = expected["texts"];
  std::vector<std::string> all = texts;
  for (const std::string text : expected["new"]) all.push_back(text);
  ASSERT_GT(expected["cases"].size(), 4U);
  for (const json& one : expected["cases"]) {
    SCOPED_TRACE(one["tokens"].dump() + " " + one["size"].dump());
    TextMapping mapping = mapping_of(one);
    VocabularyCounts counts;
    for (const std::string& text : texts)
      mapping.rules.for_each(text, [&](std::string_view token) { counts.add(token); });
    const std::size_t size = one["size"];
    mapping.vocabulary = counts.vocabulary(size == 0 ? 1000 : size - 2);
    EXPECT_EQ(mapping.vocabulary, one["vocabulary"].get<std::vector<std::string>>());
    TextCounts met;
    const Array rows = TextEncoder(mapping).rows(views(all), met);
    ASSERT_EQ(rows.type, ElementType::kUint8);
    std::vector<std::vector<int>> found;
    for (std::int64_t i = 0; i < rows.rows; ++i) {
      const auto* row = reinterpret_cast<const std::uint8_t*>(rows.view().row(i));
      found.emplace_back(row, row + mapping.length);
    }
    EXPECT_EQ(found, one["rows"].get<std::vector<std::vector<int>>>());
  }
}

}  // namespace
}  // namespace lockstep
