#include "io/text/token_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/import/utf8.hpp"
#include "io/text/lower_case.hpp"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> tokens(const TokenRules& rules, std::string_view text) {
  std::vector<std::string> result;
  rules.for_each(text, [&](std::string_view token) { result.emplace_back(token); });
  return result;
}

TEST(Utf8, EndsBeforeTheFirstByteThatIsNone) {
  EXPECT_EQ(valid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), 10U);
  EXPECT_EQ(valid_utf8("ab\xFF"), 2U);
  EXPECT_EQ(valid_utf8("ab\xC3"), 2U);            // cut off
  EXPECT_EQ(valid_utf8("\xC0\xAF"), 0U);          // overlong
  EXPECT_EQ(valid_utf8("x\xED\xA0\x80"), 1U);     // a surrogate
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), 0U);  // above U+10FFFF
}

TEST(Utf8, ReadsWhatItWrote) {
  for (const char32_t code :
       {U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xffff', U'\x10000', U'\x10ffff'}) {
    std::string text;
    append_utf8(code, text);
    EXPECT_EQ(valid_utf8(text), text.size());
    std::size_t at = 0;
    EXPECT_EQ(next_character(text, at), code);
    EXPECT_EQ(at, text.size());
  }
}

TEST(LowerCase, KnowsLettersOfManyScripts) {
  EXPECT_EQ(lower_case(U'A'), U'a');
  EXPECT_EQ(lower_case(U'z'), U'z');
  EXPECT_EQ(lower_case(U'['), U'[');
  EXPECT_EQ(lower_case(U'Ä'), U'ä');
  EXPECT_EQ(lower_case(U'ß'), U'ß');
  EXPECT_EQ(lower_case(U'Ÿ'), U'ÿ');
  EXPECT_EQ(lower_case(U'Ő'), U'ő');
  EXPECT_EQ(lower_case(U'ő'), U'ő');
  EXPECT_EQ(lower_case(U'Σ'), U'σ');
  EXPECT_EQ(lower_case(U'Я'), U'я');
  EXPECT_EQ(lower_case(0x1E921), 0x1E943U);  // Adlam, the last one
  EXPECT_EQ(lower_case(0x10FFFF), 0x10FFFFU);
}

TEST(TokenRules, WordsStandBetweenBlanksAndFilteredCharacters) {
  EXPECT_THAT(tokens({}, "It's 3.5%, (or so)\n-- THE end"),
              ElementsAre("it's", "3", "5", "or", "so", "the", "end"));
  EXPECT_THAT(tokens({.filter = ""}, " a.b\t c\r\n"), ElementsAre("a.b", "c"));
  EXPECT_THAT(tokens({.lower = false, .filter = "…x"}, "A…bxC"), ElementsAre("A", "b", "C"));
  EXPECT_THAT(tokens({}, " ... "), IsEmpty());
}

TEST(TokenRules, CharactersAreCodePoints) {
  const TokenRules rules{TokenRules::Unit::kCharacters, false, ""};
  EXPECT_THAT(tokens(rules, "a é\n€"), ElementsAre("a", " ", "é", "\n", "€"));
}

TEST(VocabularyCounts, PutsTheFrequentFirstAndEqualOnesAsTheyCame) {
  VocabularyCounts counts;
  for (const char* token : {"d", "b", "c", "b", "a", "c"}) counts.add(token);
  EXPECT_EQ(counts.distinct(), 4U);
  EXPECT_THAT(counts.vocabulary(9), ElementsAre("b", "c", "d", "a"));
  EXPECT_THAT(counts.vocabulary(3), ElementsAre("b", "c", "d"));
}

}  // namespace
}  // namespace lockstep
