#include "src/kernels/exact_kernel_gradient.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/parallel.hpp"
#include "src/core/progress_hook.hpp"
#include "src/kernels/kernel_gradient_plan.hpp"
#include "src/kernels/simplified_convolution.hpp"
#include "src/kernels/tile_cost.hpp"

namespace lockstep {
namespace {

/// As in exact_products.cpp.
constexpr std::int64_t kWorthThreads = 1 << 20;
constexpr std::int64_t kBetweenCalls = 1 << 26;
/// Floats of x and dy that tiles go through before the next positions take their turn, and of sums
/// that are kept meanwhile: both stay in the second-level cache.
constexpr std::int64_t kBlockFloats = 36 << 10;
constexpr std::int64_t kMostSums = 64 << 10;

/// Memory of this thread that is kept from call to call.
struct Kept {
  KernelGradientPlan plan;
  std::vector<KernelGradientPlan::Unit> units;
  FloatBuffer floats;
};

Kept& kept() {
  thread_local Kept memory;
  return memory;
}

/// One GradientBlock of all subtrees.
class BlockRun {
 public:
  BlockRun(const ExactConvolution& variant, const ConvolutionShape& shape, const float* x,
           const float* dy, const GradientBlock& block)
      : variant_(variant),
        shape_(shape),
        x_(x),
        dy_(dy),
        memory_(kept()),
        plan_(memory_.plan),
        places_(shape.output[0] * shape.output[1]) {
    plan_.make(variant, shape, block);
    const std::int64_t line_floats = shape.stride[1] * shape.input[2] * shape.input_channels +
                                     shape.output[2] * shape.output_channels;
    pieces_ = std::clamp<std::int64_t>(parts_of(line_floats, kBlockFloats), 1,
                                       std::max<std::int64_t>(1, shape.output[2]));
    units_in_block_ = std::max<std::int64_t>(1, kBlockFloats / parts_of(line_floats, pieces_));
  }

  /// The block's elements of the gradient, from its first one on. `between` is called every now and
  /// then.
  template <class F>
  void run(Range samples, std::int64_t grain, float* out, const F& between) {
    const std::int64_t grains = parts_of(samples.count(), grain);
    if (grains == 0 || places_ * shape_.output[2] == 0) return clear(out);
    const std::int64_t levels = std::bit_width(static_cast<std::uint64_t>(grains)) + 1;
    // The rows of dy's last panel, filled up, lie behind the stack.
    const std::int64_t packed_floats =
        units_in_block_ * parts_of(shape_.output[2], pieces_) *
        static_cast<std::int64_t>(variant_.lanes * variant_.most_vectors);
    float* const stack = memory_.floats.at_least(levels * plan_.sums_floats() + packed_floats);
    packed_ = stack + levels * plan_.sums_floats();
    float* sums = stack;
    for (std::int64_t leaf = 0; leaf < grains; ++leaf) {
      const std::int64_t first = samples.first + leaf * grain;
      const int merges = tree_merges_after(leaf, grains);
      const Range rows{first, std::min(first + grain, samples.last)};
      const bool root = leaf + 1 == grains;
      run_grain(rows,
                {.level = plan_.sums_floats(),
                 .merges = merges,
                 .sums = sums,
                 .out = root ? out : nullptr},
                between);
      sums += (1 - merges) * plan_.sums_floats();
    }
  }

 private:
  /// Where the sums of a grain go.
  struct Ending {
    std::int64_t level;
    int merges;
    float* sums;
    float* out;
  };

  bool one_output() const { return plan_.block().one_output(); }

  /// Floats from an element to the next row and column of the block.
  std::int64_t out_stride() const {
    return shape_.output_channels * (one_output() ? shape_.channels_in_group() : 1);
  }
  std::int64_t column_stride() const { return one_output() ? shape_.output_channels : 1; }

  void clear(float* out) const {
    const GradientBlock& block = plan_.block();
    for (std::int64_t row = 0; row < block.rows.count(); ++row)
      for (std::int64_t column = 0; column < block.columns.count(); ++column)
        out[row * out_stride() + column * column_stride()] = 0;
  }

  template <class F>
  void run_grain(Range samples, const Ending& ending, const F& between) {
    const std::int64_t units = samples.count() * places_ * pieces_;
    const std::int64_t blocks = std::max<std::int64_t>(1, parts_of(units, units_in_block_));
    for (std::int64_t block = 0; block < blocks; ++block) {
      const Range part = share(units, block, blocks);
      set_units(samples.first, part);
      run_block(block == 0, block + 1 == blocks, ending);
      between(part.count() * parts_of(shape_.output[2], pieces_));
    }
  }

  void set_units(std::int64_t first_sample, Range units) {
    memory_.units.clear();
    std::int64_t dy = 0;
    for (std::int64_t i = units.first; i < units.last; ++i) {
      const std::int64_t line = i / pieces_;
      const Range positions = share(shape_.output[2], i % pieces_, pieces_);
      const std::int64_t sample = first_sample + line / places_;
      if (i == units.first)
        dy_block_ = (sample * places_ + line % places_) * shape_.output[2] + positions.first;
      memory_.units.push_back({sample * shape_.input_floats(), line % places_, positions, dy});
      dy += positions.count();
    }
    positions_ = dy;
  }

  void run_block(bool first, bool last, const Ending& ending) {
    GradientTile t{};
    t.a_stride = shape_.stride[2] * shape_.input_channels;
    t.first = first;
    t.level = ending.level;
    t.merges = last ? ending.merges : 0;
    t.out_stride = out_stride();
    t.out_column_stride = column_stride();
    const std::int64_t tiles = std::ssize(plan_.tiles()) * std::ssize(plan_.panels());
    std::int64_t tile_number = 0;
    const std::int64_t bytes = (x_floats() + positions_ * shape_.output_channels) * 4;
    t.ahead_lines = static_cast<int>(std::clamp<std::int64_t>(
        parts_of(bytes, 16 * std::max<std::int64_t>(1, tiles * positions_)), 1, 16));
    for (const KernelGradientPlan::Panel& panel : plan_.panels()) {
      t.last_lanes = panel.last_lanes;
      t.b_stride = shape_.output_channels;
      const float* dy = dy_ + dy_block_ * shape_.output_channels +
                        (one_output() ? plan_.block().output : panel.columns.first);
      if (panel.last_lanes < variant_.lanes && !one_output()) {
        variant_.pack(dy, t.b_stride, positions_, panel.columns.count(), packed_);
        dy = packed_;
        t.b_stride = panel.vectors * variant_.lanes;
      }
      t.sums = ending.sums + panel.sums;
      std::size_t run = plan_.runs().size();
      for (const KernelGradientPlan::Tile& tile : plan_.tiles()) {
        const KernelGradientPlan::Run& rows = plan_.runs()[tile.run];
        if (tile.run != run) {
          const auto& lines = plan_.lines(rows, memory_.units, x_, dy, t.b_stride);
          t.lines = lines.data();
          t.count = std::ssize(lines);
          t.row_offsets = plan_.row_offsets(rows);
          run = tile.run;
        }
        t.a_offset = one_output()
                         ? plan_.block().group * shape_.channels_in_group() + panel.columns.first
                     : plan_.scattered() ? 0
                                         : rows.a_offset + tile.rows.first - rows.rows.first;
        const std::int64_t row = tile.rows.first - plan_.block().rows.first;
        t.out = last && ending.out != nullptr
                    ? ending.out + row * t.out_stride +
                          (panel.columns.first - plan_.block().columns.first) * t.out_column_stride
                    : nullptr;
        t.read_ahead = ahead(tile_number++, tiles);
        const int height = static_cast<int>(tile.rows.count());
        const auto function = one_output()
                                  ? variant_.one_output_gradient(panel.vectors, height)
                                  : variant_.gradient(panel.vectors, height, plan_.scattered());
        function(t);
        t.sums += tile.rows.count() * panel.vectors * variant_.lanes;
      }
    }
  }

  /// About as many as the block reads.
  std::int64_t x_floats() const {
    return positions_ * shape_.input_floats() / (places_ * shape_.output[2]);
  }

  /// What a tile of `tiles` fetches of the next block's x and dy.
  const char* ahead(std::int64_t tile, std::int64_t tiles) const {
    const std::int64_t dy_floats = positions_ * shape_.output_channels;
    const std::int64_t at = (dy_floats + x_floats()) * tile / tiles;
    const std::int64_t block = dy_block_ + positions_;
    const float* const from =
        at < dy_floats
            ? dy_ + block * shape_.output_channels + at
            : x_ + block * shape_.input_floats() / (places_ * shape_.output[2]) + at - dy_floats;
    return reinterpret_cast<const char*>(from);
  }

  const ExactConvolution& variant_;
  const ConvolutionShape& shape_;
  const float* const x_;
  const float* const dy_;
  Kept& memory_;
  KernelGradientPlan& plan_;
  const std::int64_t places_;
  std::int64_t pieces_, units_in_block_;
  float* packed_ = nullptr;
  std::int64_t dy_block_ = 0;   ///< positions in front of the block
  std::int64_t positions_ = 0;  ///< of the block
};

/// Whether the channels of dy in a group are so few that one after the other is faster.
bool suits_one_output(const ExactConvolution& variant, const ConvolutionShape& shape) {
  const std::int64_t outputs = shape.output_channels / shape.groups;
  const std::int64_t channels = shape.channels_in_group();
  return outputs * 2 <= variant.lanes &&
         3 * outputs * parts_of(channels, variant.lanes) < 2 * channels;
}

/// Cuts the rows of a block at multiples of `unit`, into at least `parts` pieces if it is large:
/// f(piece, rows in front of it).
template <class F>
void for_pieces(const GradientBlock& block, std::int64_t parts, std::int64_t unit, const F& f) {
  const std::int64_t rows = block.rows.count();
  const std::int64_t count =
      std::min(rows, std::max(parts, parts_of(rows * block.columns.count(), kMostSums)));
  for (std::int64_t i = 0; i < count; ++i) {
    GradientBlock piece = block;
    piece.rows = part_of(block.rows, i, count, rows >= count * unit ? unit : 1);
    if (piece.rows.count() > 0) f(piece, piece.rows.first - block.rows.first);
  }
}

/// f(block, floats from the first element) of blocks that make up the elements.
template <class F>
void for_blocks(const ExactConvolution& variant, const ConvolutionShape& shape, Range elements,
                std::int64_t parts, const F& f) {
  const std::int64_t columns = shape.output_channels;
  const std::int64_t in_group = columns / shape.groups;
  const std::int64_t channels = shape.channels_in_group();
  const std::int64_t first = elements.first;
  const auto add = [&](Range rows, Range here, std::int64_t group) {
    const std::int64_t at = rows.first * columns - first;
    const bool whole_taps = rows.first % channels == 0 && rows.last % channels == 0;
    if (here.count() == in_group && whole_taps && suits_one_output(variant, shape)) {
      const Range taps{rows.first / channels, rows.last / channels};
      for (std::int64_t o = here.first; o < here.last; ++o)
        for_pieces({taps, {0, channels}, group, o}, parts, 1,
                   [&](const GradientBlock& piece, std::int64_t before) {
                     f(piece, at + before * channels * columns + o);
                   });
      return;
    }
    for_pieces({rows, here, group}, parts, rows.first % channels == 0 ? channels : 1,
               [&](const GradientBlock& piece, std::int64_t before) {
                 f(piece, at + before * columns + here.first);
               });
  };
  while (elements.count() > 0) {
    const std::int64_t row = elements.first / columns, column = elements.first % columns;
    const std::int64_t rows =
        column == 0 ? std::max<std::int64_t>(elements.count() / columns, 1) : 1;
    const Range wanted{column, std::min(columns, column + elements.count())};
    for (std::int64_t group = wanted.first / in_group; group * in_group < wanted.last; ++group)
      add({row, row + rows},
          {std::max(wanted.first, group * in_group), std::min(wanted.last, (group + 1) * in_group)},
          group);
    elements.first += rows * wanted.count();
  }
}

struct Task {
  GradientBlock block;
  std::int64_t out;
};

}  // namespace

void exact_convolve_kernel_gradient(const ExactConvolution& variant, const ConvolutionShape& given,
                                    const float* x, const float* dy, const Subtrees& subtrees,
                                    Range elements, float* out) {
  const ConvolutionShape shape = simplified(given);
  thread_local std::vector<Task> tasks;
  std::int64_t samples = 0;
  for (const Range range : subtrees.samples) samples = std::max(samples, range.count());
  const std::int64_t work = samples * ConvolutionShape::product(shape.output) * elements.count();
  const std::int64_t parts = work < kWorthThreads ? 1 : threads();
  tasks.clear();
  for_blocks(variant, shape, elements, parts, [&](const GradientBlock& block, std::int64_t at) {
    tasks.push_back({block, at});
  });
  const auto run_task = [&](const Task& task, const auto& between) {
    BlockRun run(variant, shape, x, dy, task.block);
    for (std::size_t i = 0; i < subtrees.size(); ++i)
      run.run(subtrees.samples[i], subtrees.grain,
              out + static_cast<std::int64_t>(i) * subtrees.stride + task.out, between);
  };
  const std::vector<Task>& all = tasks;  // of this thread, also within others
  if (parts == 1) {
    std::int64_t done = 0;
    for (const Task& task : all)
      run_task(task, [&](std::int64_t positions) {
        done += positions * task.block.rows.count() * task.block.columns.count();
        if (done < kBetweenCalls || !ProgressHook::wanted()) return;
        ProgressHook::run();
        done = 0;
      });
    return;
  }
  for (std::int64_t first = 0; first < std::ssize(all); first += parts) {
    if (first > 0 && ProgressHook::wanted()) ProgressHook::run();
    parallel_for(std::min(parts, std::ssize(all) - first), [&](std::int64_t i) {
      run_task(all[static_cast<std::size_t>(first + i)], [](std::int64_t) {});
    });
  }
}

}  // namespace lockstep
