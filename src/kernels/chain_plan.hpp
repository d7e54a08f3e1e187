#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/core/range.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/exact_convolution.hpp"

namespace lockstep {

/// One axis of a ChainConvolution: output o reads the inputs o * step + offset that there are.
struct ChainAxis {
  std::int64_t outputs = 1, inputs = 1, step = 1;
  std::int64_t x_stride = 0, y_stride = 0;  ///< floats from position to position
  std::vector<std::int64_t> offsets;        ///< of the taps, ascending
  std::vector<std::int64_t> kernel;         ///< kernel position of each tap

  std::int64_t taps() const { return static_cast<std::int64_t>(offsets.size()); }
  /// The taps that exist for an output.
  Range existing(std::int64_t output) const;
};

/// What the forward pass and the phases of the input gradient have in common: y is a chain over
/// (tap, channel of x in the group), taps in the order of their offsets.
struct ChainConvolution {
  std::array<ChainAxis, 3> axes;
  std::int64_t samples = 0, x_sample = 0, y_sample = 0;
  std::int64_t groups = 1;
  std::int64_t depth = 1;    ///< channels of x in a group
  std::int64_t columns = 1;  ///< channels of y in a group

  std::int64_t taps() const { return axes[0].taps() * axes[1].taps() * axes[2].taps(); }
  /// Terms of a whole chain.
  std::int64_t length() const { return taps() * depth; }
  std::int64_t positions() const { return axes[0].outputs * axes[1].outputs * axes[2].outputs; }
  /// Multiplications.
  std::int64_t work() const { return samples * positions() * groups * columns * length(); }
  bool is_empty() const { return samples == 0 || positions() == 0 || columns == 0; }

  void set_forward(const ConvolutionShape& shape, std::int64_t samples);
  /// The inputs at phase + i * stride of each axis; x is dy and y is dx from the phase on.
  void set_input_gradient(const ConvolutionShape& shape, std::int64_t samples,
                          const ConvolutionShape::Axes& phase);
};

/// A ChainConvolution cut into tiles. What a tile's rows are is chosen by cost: neighbours along
/// the last axis, or the same position of neighbouring samples. Keeps its memory for the next plan.
class ChainPlan {
 public:
  /// Some columns of one group.
  struct Panel {
    std::int64_t group;
    std::int64_t first, count;  ///< columns within the group
    std::int64_t width;         ///< floats, whole vectors
    std::int64_t packed;        ///< floats in front of it where all panels are packed
    int vectors, last_lanes;
  };
  struct Tile {
    std::int64_t first, rows;
    std::size_t list;  ///< of its kind 0
  };
  struct SegmentList {
    std::size_t first;
    std::int64_t count;
    bool edges;
  };

  void make(const ChainConvolution& convolution, const ExactConvolution& variant);

  const ChainConvolution& convolution() const { return *convolution_; }
  const std::vector<Panel>& panels() const { return panels_; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  bool by_samples() const { return by_samples_; }
  /// Lines of tiles: (sample, position on the first two axes), or positions on all three.
  std::int64_t lines() const;
  /// Floats of all panels, packed.
  std::int64_t packed_floats() const;

  struct Line {
    std::int64_t x, y;  ///< floats to its first row
    std::size_t kind;
  };
  Line line(std::int64_t index) const;
  const SegmentList& list(const Tile& tile, const Line& line) const {
    return lists_[tile.list + line.kind];
  }
  const ChainSegment* segments(const SegmentList& list) const {
    return segments_.data() + list.first;
  }

 private:
  /// Distinct sets of existing taps along an axis.
  struct Kinds {
    std::vector<Range> taps;
    std::vector<std::size_t> of_output;
  };
  void choose(const ExactConvolution& variant);
  void cut_panels(int lanes, std::int64_t most_vectors);
  void cut_tiles(std::int64_t extent, std::int64_t most_rows);
  void find_kinds(std::size_t axis);
  void add_lists(const Tile& tile);
  SegmentList make_list(const Tile& tile, Range taps0, Range taps1, Range taps2);

  const ChainConvolution* convolution_ = nullptr;
  bool by_samples_ = false;
  std::vector<Panel> panels_;
  std::vector<Tile> tiles_;
  std::array<Kinds, 3> kinds_;
  std::vector<SegmentList> lists_;
  std::vector<ChainSegment> segments_;
};

}  // namespace lockstep
