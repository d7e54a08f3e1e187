#pragma once

#include <cstdint>
#include <initializer_list>

#include "src/core/random.hpp"

namespace lockstep::test {

/// Choices that are a function of seed and stream.
class Draw {
 public:
  explicit Draw(std::uint64_t seed, std::uint32_t stream = 0)
      : random_(seed, Purpose::kSynthetic, stream) {}

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound, next_++); }
  bool chance(double probability) {
    return static_cast<double>(below(1'000'000)) < probability * 1e6;
  }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  /// From -1 to 1, a multiple of 1/64.
  double number() { return static_cast<double>(below(129)) / 64 - 1; }

 private:
  RandomStream random_;
  std::uint64_t next_ = 0;
};

}  // namespace lockstep::test
