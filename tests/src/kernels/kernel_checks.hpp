#pragma once

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "src/core/random.hpp"
#include "src/kernels/kernels.hpp"

/// What tests of kernels share.
namespace lockstep {

using Floats = std::vector<float>;

inline Floats random_floats(std::int64_t count, std::uint32_t stream) {
  const RandomStream random(5, Purpose::kSynthetic, stream);
  Floats values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 4 * random.uniform(i) - 2;
  return values;
}

/// Runs `body` with each variant of this machine and expects the bits of the portable one.
inline void expect_same_bits(const std::function<Floats(const Kernels&)>& body) {
  const Floats expected = body(*find_kernels("portable"));
  for (const char* name : {"avx2", "avx512"}) {
    const Kernels* variant = find_kernels(name);
    if (variant == nullptr) continue;
    const Floats got = body(*variant);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << name << " element " << i;
  }
}

/// The variants that this machine can run.
inline std::vector<const Kernels*> all_variants() {
  std::vector<const Kernels*> variants;
  for (const char* name : {"portable", "avx2", "avx512"})
    if (const Kernels* variant = find_kernels(name)) variants.push_back(variant);
  return variants;
}

template <class T>
void expect_bits(const std::vector<T>& got, const std::vector<T>& expected,
                 const std::string& where) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(got[i])) continue;
    ASSERT_EQ(std::bit_cast<Bits>(got[i]), std::bit_cast<Bits>(expected[i]))
        << where << " element " << i << ": " << got[i] << " instead of " << expected[i];
  }
}

/// What Kernels says of sums.
template <class T>
T sum_in_lanes(const std::vector<T>& values) {
  std::array<T, 16> lane{};
  for (std::size_t j = 0; j < values.size(); ++j) lane[j % 16] += values[j];
  for (const std::size_t half : {8u, 4u, 2u, 1u})
    for (std::size_t k = 0; k < half; ++k) lane[k] += lane[k + half];
  return lane[0];
}

inline void append(Floats& to, const Floats& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace lockstep
