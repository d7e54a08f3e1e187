#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

/// A run of a chain's terms: `depth` consecutive floats of each row of a tile, times as many rows
/// of its panel.
struct ChainSegment {
  std::int64_t a;      ///< floats from the start of the tile's first row
  std::int64_t b;      ///< rows of the panel
  std::int64_t depth;  ///< at least 1
  std::int32_t front;  ///< rows of the tile, in front and behind, that lack these terms
  std::int32_t behind;
};

/// c(i, j) = the chain over all segments of a(i, k) b(k, j), some rows by some vectors.
struct ChainTile {
  const ChainSegment* segments;
  std::int64_t count;
  const float* a;
  std::int64_t a_stride;  ///< floats from row to row
  const float* panel;
  std::int64_t panel_stride;
  float* c;
  std::int64_t c_stride;
  int last_lanes;     ///< columns of the last vector
  const float* bias;  ///< added at the end; may be null
  bool relu;
  const char* read_ahead;  ///< cache lines that will be read and written soon
  const char* write_ahead;
};

/// The tiles of exact convolutions, compiled for several instruction sets from one source
/// (exact_convolution.inc). Every variant gives the same bits.
struct ExactConvolution {
  using ChainFunction = void (*)(const ChainTile& tile);

  const char* name;  ///< as in Kernels
  int lanes;
  int most_vectors;
  const int* most_rows;  ///< of a tile of 1, 2, ... most_vectors vectors

  /// `edges`: some segments have rows in front or behind.
  ChainFunction (*chain)(int vectors, int rows, bool edges);
  /// panel(k, j) = b(k, j) or, transposed, b(j, k), k < depth, j < columns, filled up with zeros to
  /// whole vectors.
  void (*pack)(const float* b, std::int64_t b_stride, std::int64_t depth, std::int64_t columns,
               float* panel);
  void (*pack_transposed)(const float* b, std::int64_t b_stride, std::int64_t depth,
                          std::int64_t columns, float* panel);
};

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const ExactConvolution* find_exact_convolution(std::string_view name);
/// The variant of the same name as kernels().
const ExactConvolution& exact_convolution();

}  // namespace lockstep
