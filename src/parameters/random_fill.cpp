#include "src/parameters/random_fill.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace lockstep {
namespace {

/// In a fixed order of eight chains, so that it is fast and always the same.
double dot(std::span<const double> a, std::span<const double> b) {
  constexpr std::size_t kChains = 8;
  std::array<double, kChains> sums{};
  const std::size_t whole = a.size() / kChains * kChains;
  for (std::size_t i = 0; i < whole; i += kChains)
    for (std::size_t k = 0; k < kChains; ++k) sums[k] += a[i + k] * b[i + k];
  for (std::size_t i = whole; i < a.size(); ++i) sums[i - whole] += a[i] * b[i];
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace

void fill_uniform(std::span<float> values, double low, double high, const RandomStream& random) {
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(low + (high - low) * static_cast<double>(random.uniform(i)));
}

void fill_normal(std::span<float> values, double mean, double stddev, const RandomStream& random) {
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(mean + stddev * random.normal(i));
}

void fill_truncated_normal(std::span<float> values, double mean, double stddev,
                           const RandomStream& random) {
  constexpr std::uint64_t kNextAttempt = std::uint64_t{1} << 40;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t index = i;
    double x = random.normal(index);
    while (std::abs(x) > 2) x = random.normal(index += kNextAttempt);
    values[i] = static_cast<float>(mean + stddev * x);
  }
}

void fill_orthogonal(std::span<float> matrix, std::int64_t rows, std::int64_t columns, double gain,
                     const RandomStream& random) {
  const auto length = static_cast<std::size_t>(std::max(rows, columns));
  const auto count = static_cast<std::size_t>(std::min(rows, columns));
  std::vector<double> storage(length * count);
  for (std::size_t i = 0; i < storage.size(); ++i) storage[i] = random.normal(i);
  const auto vector = [&](std::size_t j) { return std::span(storage).subspan(j * length, length); };

  // Gram-Schmidt, twice for orthogonality to the last bits (Giraud et al., 2005).
  for (std::size_t j = 0; j < count; ++j) {
    const std::span<double> v = vector(j);
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t i = 0; i < j; ++i) {
        const std::span<const double> q = vector(i);
        const double projection = dot(q, v);
        for (std::size_t k = 0; k < length; ++k) v[k] -= projection * q[k];
      }
    }
    const double norm = std::sqrt(dot(v, v));
    for (double& x : v) x /= norm;
  }

  // The vectors are the columns of a tall matrix and the rows of a wide one.
  const bool tall = rows >= columns;
  for (std::size_t j = 0; j < count; ++j) {
    const std::span<const double> v = vector(j);
    for (std::size_t k = 0; k < length; ++k)
      matrix[tall ? k * count + j : j * length + k] = static_cast<float>(gain * v[k]);
  }
}

}  // namespace lockstep
