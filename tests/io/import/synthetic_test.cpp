#include "io/import/synthetic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <sstream>

namespace lockstep {
namespace {

const std::set<std::string> kPraise = {"good",      "great",      "lovely", "excellent",
                                       "charming",  "pleasant",   "fine",   "brilliant",
                                       "wonderful", "delightful", "superb", "perfect"};

/// "the film was not very good", read again.
bool praises(const std::string& clause) {
  std::istringstream words(clause);
  std::string word;
  bool turned = false;
  while (words >> word) turned ^= word == "not" || word == "never";
  return kPraise.contains(word) != turned;
}

/// Of a whole sentence.
bool says_praise(const std::string& text) {
  const std::size_t but = text.find(" but ");
  if (but != text.npos) return praises(text.substr(but + 5));
  return praises(text.substr(0, text.find(" although ")));
}

TEST(SyntheticSentences, MeanWhatTheirLabelSays) {
  const std::vector<Sentence> sentences = synthetic_sentences(2000, 3);
  int good = 0, turned = 0, longer = 0;
  for (const Sentence& one : sentences) {
    EXPECT_EQ(says_praise(one.text), one.praises) << one.text;
    good += one.praises;
    turned += one.text.find(" not ") != std::string::npos;
    longer += one.text.find(" but ") != std::string::npos;
  }
  EXPECT_NEAR(good, 1000, 100);
  EXPECT_GT(turned, 500);
  EXPECT_NEAR(longer, 667, 80);
}

TEST(SyntheticSentences, AreAFunctionOfSeedAndRow) {
  const auto few = synthetic_sentences(5, 3), more = synthetic_sentences(9, 3);
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].text, more[i].text);
  EXPECT_NE(synthetic_sentences(1, 4)[0].text, few[0].text);
}

TEST(SyntheticSeries, IsTrendSeasonsAndNoise) {
  constexpr std::int64_t kRows = 168 * 40;
  const std::vector<float> values = synthetic_series(kRows, 0);
  double noise = 0, echo = 0, before = 0, sum = 0;
  for (std::int64_t t = 0; t < kRows; ++t) {
    const auto hour = static_cast<double>(t);
    const double known = hour / kRows + std::sin(2 * std::numbers::pi * hour / 24) +
                         std::sin(2 * std::numbers::pi * hour / 168) / 2;
    const double rest = 10 * (static_cast<double>(values[static_cast<std::size_t>(t)]) - known);
    noise += rest * rest / kRows;
    echo += rest * before / kRows;
    sum += rest / kRows;
    before = rest;
  }
  EXPECT_NEAR(noise, 1 / (1 - 0.64), 0.3);  // the variance of an AR(1) of 0.8
  EXPECT_NEAR(echo / noise, 0.8, 0.02);
  EXPECT_NEAR(sum, 0, 0.2);
}

}  // namespace
}  // namespace lockstep
