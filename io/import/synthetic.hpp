#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// Hourly numbers with trend, seasons and noise; row t of `rows` is a function of the seed, t and
/// rows:  t / rows + sin(2 pi t / 24) + sin(2 pi t / 168) / 2 + e_t / 10,  with the noise
/// e_t = 0.8 e_(t-1) + n_t, n_t standard normal.
std::vector<float> synthetic_series(std::int64_t rows, std::uint64_t seed);

/// A sentence about something, and whether it praises it.
struct Sentence {
  std::string text;
  bool praises = false;
};

/// Sentences of one or two clauses; sentence i is a function of seed and i:
///   clause = the NOUN was [not | never] [ADVERB] ADJECTIVE
///   sentence = clause,  or  clause but clause,  or  clause although clause
/// A clause praises if its adjective does, and the other way round behind "not" and "never". "but"
/// says that the second clause counts, "although" that the first one does; both clauses are drawn
/// independently of each other, so nobody can tell without reading in order.
std::vector<Sentence> synthetic_sentences(std::int64_t rows, std::uint64_t seed);

}  // namespace lockstep
