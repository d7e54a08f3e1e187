#include "src/layers/row_random.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/kernels/kernels.hpp"

namespace lockstep {

/// Dropped if the random word is below rate * 2^32; a rate of 1 drops every word.
void RowRandom::mask(std::int64_t row, double rate, float scale, std::span<float> to) const {
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(rate, 32));
  const std::size_t blocks = (to.size() + 3) / 4;
  const std::uint64_t first = first_ + static_cast<std::uint64_t>(row) * blocks;
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto words = stream_.words(first + block);
    const std::span<float> four =
        to.subspan(4 * block, std::min<std::size_t>(4, to.size() - 4 * block));
    for (std::size_t k = 0; k < four.size(); ++k) four[k] = words[k] < threshold ? 0.0f : scale;
  }
}

/// Two numbers of a block's four words.
void RowRandom::normals(std::int64_t row, double mean, double stddev, std::span<float> to) const {
  constexpr std::size_t kChunk = 64;
  std::array<std::uint32_t, 2 * kChunk> words;
  const std::size_t blocks = (to.size() + 1) / 2;
  std::uint64_t next = first_ + static_cast<std::uint64_t>(row) * blocks;
  for (std::size_t i = 0; i < to.size(); i += kChunk) {
    const std::span<float> chunk = to.subspan(i, std::min(kChunk, to.size() - i));
    for (std::size_t j = 0; j < chunk.size(); j += 2)
      std::ranges::copy(stream_.words(next++), words.begin() + static_cast<std::ptrdiff_t>(2 * j));
    kernels().normals(words.data(), chunk.data(), static_cast<std::int64_t>(chunk.size()), mean,
                      stddev);
  }
}

}  // namespace lockstep
