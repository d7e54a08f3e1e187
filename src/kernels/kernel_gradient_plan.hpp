#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/core/range.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/exact_convolution.hpp"

namespace lockstep {

/// Elements of a kernel gradient that are computed together: rows (tap, channel of x in the group)
/// by columns (channels of dy) of one group. Where there are few channels of dy: one of them, rows
/// are taps, columns channels of x in the group.
struct GradientBlock {
  Range rows, columns;
  std::int64_t group;
  std::int64_t output = -1;  ///< the one channel of dy

  bool one_output() const { return output >= 0; }
};

/// A GradientBlock cut into tiles, and positions into lines for each of them. Keeps its memory for
/// the next plan.
class KernelGradientPlan {
 public:
  struct Panel {
    Range columns;
    std::int64_t sums;  ///< floats in front of its tiles'
    int vectors, last_lanes;
  };
  /// Rows with the same lines: neighbours in memory, or, scattered, one tile's.
  struct Run {
    Range rows;
    std::int64_t a_offset;  ///< of the first row
    std::size_t info;       ///< scattered: of the tile's masks and offsets
  };
  struct Tile {
    Range rows;
    std::size_t run;
  };

  void make(const ExactConvolution& variant, const ConvolutionShape& shape,
            const GradientBlock& block);

  const GradientBlock& block() const { return block_; }
  bool scattered() const { return scattered_; }
  const std::vector<Panel>& panels() const { return panels_; }
  const std::vector<Run>& runs() const { return runs_; }
  /// Of all tiles of a panel, in the order of the runs.
  const std::vector<Tile>& tiles() const { return tiles_; }
  const std::int64_t* row_offsets(const Run& run) const {
    return scattered_ ? row_offsets_.data() + run.info * kMostScattered : nullptr;
  }
  /// Floats of the sums of all tiles.
  std::int64_t sums_floats() const { return sums_floats_; }

  /// Output positions [first, last) along the last axis at one place of the others.
  struct Unit {
    std::int64_t x;     ///< floats to the sample
    std::int64_t line;  ///< place on the first two axes
    Range positions;
    std::int64_t dy;  ///< positions from the start of a block of units
  };
  /// The lines of a run over some units. `dy`: where the block's first position is.
  const std::vector<PositionLine>& lines(const Run& run, const std::vector<Unit>& units,
                                         const float* x, const float* dy, std::int64_t dy_stride);

 private:
  static constexpr std::size_t kMostScattered = 32;
  using Axes = ConvolutionShape::Axes;
  struct Stretch {
    Range positions;
    std::uint32_t rows;
  };

  void choose(const ExactConvolution& variant);
  void cut_runs(std::int64_t most_rows);
  void add_scattered(Range rows);
  Axes tap_of(std::int64_t row) const;
  Range existing(std::size_t axis, std::int64_t tap) const;
  std::int64_t offset_of(const Axes& tap) const;
  void add_line(const float* a, const float* b, std::int64_t depth, std::uint32_t rows,
                std::int64_t dy_stride);

  ConvolutionShape shape_;
  GradientBlock block_;
  bool scattered_ = false;
  bool across_ = false;        ///< a run holds all taps along the last axis
  std::int64_t channels_ = 1;  ///< rows of a tap
  std::int64_t run_length_ = 1;
  std::int64_t sums_floats_ = 0;
  std::vector<Panel> panels_;
  std::vector<Run> runs_;
  std::vector<Tile> tiles_;
  std::vector<std::int64_t> row_offsets_;
  std::vector<std::uint32_t> line_rows_;  ///< of each scattered run and place: rows that exist
  std::vector<Stretch> stretches_;        ///< of each scattered run along the last axis
  std::vector<std::size_t> first_stretch_;
  std::vector<PositionLine> lines_;
};

}  // namespace lockstep
