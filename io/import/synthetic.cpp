#include "io/import/synthetic.hpp"

#include <array>
#include <numbers>

#include "src/core/elementary.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

constexpr std::uint32_t kSeries = 3;  // of the streams for Purpose::kSynthetic; glyphs have 0 to 2
constexpr std::uint32_t kSentences = 4;

constexpr auto kNouns = std::to_array<const char*>(
    {"film", "book", "play", "hotel", "room", "food", "service", "staff", "concert", "view",
     "price", "story", "music", "ending", "coffee", "journey"});
constexpr auto kAdverbs = std::to_array<const char*>(
    {"very", "really", "quite", "so", "truly", "rather", "completely", "surprisingly"});
constexpr auto kPraise = std::to_array<const char*>(
    {"good", "great", "lovely", "excellent", "charming", "pleasant", "brilliant", "delightful",
     "fine", "wonderful", "perfect", "superb"});
constexpr auto kBlame =
    std::to_array<const char*>({"bad", "poor", "awful", "boring", "terrible", "dull", "unpleasant",
                                "horrible", "weak", "dreadful", "disappointing", "annoying"});

double sine_of_turns(double turns) {
  const double rest = turns - static_cast<double>(static_cast<std::int64_t>(turns));
  return elementary::cos(2 * std::numbers::pi * (rest - 0.25));
}

/// Draws of one sentence, one after the other.
class Draws {
 public:
  Draws(std::uint64_t seed, std::int64_t row)
      : random_(seed, Purpose::kSynthetic, static_cast<std::uint32_t>(row), kSentences) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound, next_++); }
  template <std::size_t N>
  const char* one_of(const std::array<const char*, N>& words) {
    return words[below(N)];
  }

 private:
  RandomStream random_;
  std::uint64_t next_ = 0;
};

Sentence clause(Draws& draws) {
  Sentence made{"the ", draws.below(2) == 1};
  made.text += draws.one_of(kNouns);
  made.text += " was ";
  const std::uint64_t negation = draws.below(4);  // half of the clauses have one
  if (negation < 2) made.text += negation == 0 ? "not " : "never ";
  if (draws.below(2) == 1) made.text += draws.one_of(kAdverbs) + std::string(" ");
  const bool good_word = made.praises != (negation < 2);
  made.text += good_word ? draws.one_of(kPraise) : draws.one_of(kBlame);
  return made;
}

}  // namespace

std::vector<float> synthetic_series(std::int64_t rows, std::uint64_t seed) {
  const RandomStream random(seed, Purpose::kSynthetic, 0, kSeries);
  std::vector<float> values;
  double noise = 0;
  for (std::int64_t t = 0; t < rows; ++t) {
    const auto hour = static_cast<double>(t);
    noise = 0.8 * noise + random.normal(static_cast<std::uint64_t>(t));
    values.push_back(static_cast<float>(hour / static_cast<double>(rows) +
                                        sine_of_turns(hour / 24) + sine_of_turns(hour / 168) / 2 +
                                        noise / 10));
  }
  return values;
}

std::vector<Sentence> synthetic_sentences(std::int64_t rows, std::uint64_t seed) {
  std::vector<Sentence> sentences;
  for (std::int64_t row = 0; row < rows; ++row) {
    Draws draws(seed, row);
    Sentence made = clause(draws);
    if (const std::uint64_t second = draws.below(3); second > 0) {
      const Sentence other = clause(draws);
      made.text += (second == 1 ? " but " : " although ") + other.text;
      if (second == 1) made.praises = other.praises;
    }
    sentences.push_back(std::move(made));
  }
  return sentences;
}

}  // namespace lockstep
