#pragma once

#include <array>
#include <cstdint>

namespace lockstep {

/// What a stream of random numbers is for: streams of different purposes never overlap.
enum class Purpose : std::uint32_t {
  kInitializer = 1,
  kShuffle = 2,
  kDropout = 3,
  kSynthetic = 4,
  kSplit = 5,
  kNoise = 6,
  kRecurrentDropout = 7,
  kBackwardDropout = 8,  ///< of a Bidirectional's second layer
  kBackwardRecurrentDropout = 9,
  kAttention = 10,
  kFeedForward = 11,
  kGenerate = 16
};

/// Random numbers as a pure function of (seed, purpose, major, minor, index): Philox 4x32-10 of
/// Random123 (Salmon et al., SC'11). There is no state to carry or to synchronise: every rank can
/// compute every number.
class RandomStream {
 public:
  /// `major` counts e.g. steps or epochs, `minor` (below 2^24) e.g. layers.
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t major, std::uint32_t minor = 0);

  /// The four independent 32-bit words at `index`.
  std::array<std::uint32_t, 4> words(std::uint64_t index) const;

  /// Word `index % 4` of words(index / 4) as a float in [0, 1), a multiple of 2^-24.
  float uniform(std::uint64_t index) const;

  /// Standard normal numbers in double (Box-Muller, two words each).
  double normal(std::uint64_t index) const;

  /// An integer in [0, bound) without bias worth mentioning: 64 bits times bound, high half
  /// (Lemire, ACM TOMACS 2019). bound >= 1.
  std::uint64_t below(std::uint64_t bound, std::uint64_t index) const;

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t major_;
  std::uint32_t tag_;
};

}  // namespace lockstep
