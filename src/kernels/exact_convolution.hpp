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
  bool fetch_next;  ///< the chains are too short for these: ask for the next tile's c at once
};

/// A tap of a PositionsTile: `depth` terms of each chain.
struct PositionsTap {
  static constexpr int kMostVectors = 4;
  const float* a;                     ///< factors of the rows, a(k, i)
  std::int64_t b;                     ///< floats from a vector's place in transposed x
  std::uint32_t lanes[kMostVectors];  ///< a bit for each lane of a vector that has the tap
  bool whole;                         ///< all of them
};

/// c(j, i) = the chain over all taps of a(k, i) b(k, j): a few channels i by vectors of positions,
/// for which x is transposed.
struct PositionsTile {
  const PositionsTap* taps;
  std::int64_t count;
  std::int64_t depth;
  std::int64_t a_stride;
  std::int64_t b_stride;
  const float* b[PositionsTap::kMostVectors];  ///< place of each vector
  float* c[PositionsTap::kMostVectors];        ///< of its first position
  int lanes[PositionsTap::kMostVectors];       ///< positions that there are
  std::int64_t c_stride;                       ///< from position to position
  const float* bias;
  bool relu;
};

/// Consecutive output positions along the last axis, all of which have the same taps.
struct PositionLine {
  const float* a;  ///< of x, where the first position's taps begin
  const float* b;  ///< of dy, at the first position
  std::int64_t depth;
  std::uint32_t rows;  ///< of a tile with scattered rows: a bit for each that takes part
};

/// Sums of a kernel gradient, some rows (tap, channel of x) by some vectors of channels of dy:
/// chains over all positions of the lines, a(k, i) b(k, j).
struct GradientTile {
  const PositionLine* lines;
  std::int64_t count;
  std::int64_t a_offset;  ///< of the first row, floats
  std::int64_t a_stride;  ///< floats from position to position
  std::int64_t b_stride;
  const std::int64_t* row_offsets;  ///< of a tile with scattered rows
  float* sums;                      ///< rows x whole vectors without gaps
  bool first;                       ///< the chains start from zero, else from `sums`
  std::int64_t level;               ///< floats between sums of the same tile in the tree's stack
  int merges;                       ///< sums in front of `sums` that are added at the end
  float* out;                       ///< where the last sums go; null: to the stack
  std::int64_t out_stride;
  std::int64_t out_column_stride;  ///< 1 but for tiles of one output
  int last_lanes;
  const char* read_ahead;  ///< cache lines that will be read soon,
  int ahead_lines;         ///< and how many of them every four positions
};

/// The tiles of exact convolutions, compiled for several instruction sets from one source
/// (exact_convolution.inc). Every variant gives the same bits.
struct ExactConvolution {
  using ChainFunction = void (*)(const ChainTile& tile);
  using GradientFunction = void (*)(const GradientTile& tile);

  using PositionsFunction = void (*)(const PositionsTile& tile);

  const char* name;  ///< as in Kernels
  int lanes;
  int most_vectors;
  const int* most_rows;  ///< of a tile of 1, 2, ... most_vectors vectors

  /// `edges`: some segments have rows in front or behind.
  ChainFunction (*chain)(int vectors, int rows, bool edges);
  PositionsFunction (*positions)(int vectors, int rows);
  /// `scattered`: with row_offsets, at most 32 rows.
  GradientFunction (*gradient)(int vectors, int rows, bool scattered);
  /// Scattered rows of a(k, i, j) b(k): of one channel of dy, by vectors of channels of x.
  GradientFunction (*one_output_gradient)(int vectors, int rows);
  /// panel(k, j) = b(k, j), k < depth, j < columns, filled up with zeros to whole vectors.
  void (*pack)(const float* b, std::int64_t b_stride, std::int64_t depth, std::int64_t columns,
               float* panel);
  /// panel(k, j) = b(j, k) in the same way, rows panel_stride floats apart.
  void (*pack_transposed)(const float* b, std::int64_t b_stride, std::int64_t depth,
                          std::int64_t columns, float* panel, std::int64_t panel_stride);
};

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const ExactConvolution* find_exact_convolution(std::string_view name);
/// The variant of the same name as kernels().
const ExactConvolution& exact_convolution();

}  // namespace lockstep
