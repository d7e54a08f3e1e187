#pragma once

#include <cstdint>
#include <span>

#include "src/core/random.hpp"

namespace lockstep {

/// Uniform in [low, high).
void fill_uniform(std::span<float> values, double low, double high, const RandomStream& random);

void fill_normal(std::span<float> values, double mean, double stddev, const RandomStream& random);

/// Normal, drawn again while it lies more than two standard deviations from the mean. Attempt a at
/// element i is number a * 2^40 + i of the stream.
void fill_truncated_normal(std::span<float> values, double mean, double stddev,
                           const RandomStream& random);

/// A random matrix with orthonormal columns (rows, if there are fewer of them), times `gain`:
/// the Q of a normal matrix' QR decomposition with a positive diagonal of R, which makes it
/// uniformly distributed (Saxe et al., arXiv 1312.6120). matrix: (rows, columns), row-major.
void fill_orthogonal(std::span<float> matrix, std::int64_t rows, std::int64_t columns, double gain,
                     const RandomStream& random);

}  // namespace lockstep
