#include "src/kernels/exact_chains.hpp"

#include <algorithm>

#include "src/core/parallel.hpp"
#include "src/core/progress_hook.hpp"
#include "src/core/range.hpp"
#include "src/kernels/chain_plan.hpp"
#include "src/kernels/exact_gemm.hpp"
#include "src/kernels/few_channels.hpp"
#include "src/kernels/simplified_convolution.hpp"

namespace lockstep {
namespace {

/// Multiplications below which threads would cost more than they save, and between two calls of
/// what goes on meanwhile: as in exact_products.cpp.
constexpr std::int64_t kWorthThreads = 1 << 20;
constexpr std::int64_t kBetweenCalls = 1 << 26;
/// Kernels of more floats go through several lines before the next panel takes its turn, lines of
/// about as many floats.
constexpr std::int64_t kCached = 1 << 16;
/// Chains that are this short take all panels of a tile in turn: the tile's rows are read once.
constexpr std::int64_t kShortChain = 64;

/// The factors that a panel's rows come from.
struct Weights {
  const float* first;   ///< the first panel's
  std::int64_t stride;  ///< of rows; 0: packed panels
};

/// What all tiles of a pass share.
struct Pass {
  const ExactConvolution& variant;
  const ChainPlan& plan;
  const float* x;
  Weights weights;
  ConvolutionEnd end;
  float* y;
};

const char* address(const float* base, std::int64_t floats) {
  return reinterpret_cast<const char*>(base) + floats * static_cast<std::int64_t>(sizeof(float));
}

void run_tile(const Pass& pass, const ChainPlan::Line& line, const ChainPlan::Panel& panel,
              const ChainPlan::Tile& tile) {
  const ChainPlan& plan = pass.plan;
  const ChainConvolution& c = plan.convolution();
  const ChainPlan::SegmentList& list = plan.list(tile, line);
  const ChainAxis& row_axis = c.axes[2];
  const ChainAxis& line_axis = c.axes[1];
  const std::int64_t channel = panel.group * c.columns + panel.first;
  const std::int64_t x_row = plan.by_samples() ? c.x_sample : row_axis.step * row_axis.x_stride;
  const std::int64_t y_row = plan.by_samples() ? c.y_sample : row_axis.y_stride;
  const std::int64_t x = line.x + tile.first * x_row + panel.group * c.depth;
  const std::int64_t y = line.y + tile.first * y_row + channel;
  ChainTile t{};
  t.segments = plan.segments(list);
  t.count = list.count;
  t.a = pass.x + x;
  t.a_stride = x_row;
  t.panel = pass.weights.first + (pass.weights.stride == 0 ? panel.packed : channel);
  t.panel_stride = pass.weights.stride == 0 ? panel.width : pass.weights.stride;
  t.c = pass.y + y;
  t.c_stride = y_row;
  t.last_lanes = panel.last_lanes;
  t.bias = pass.end.bias == nullptr ? nullptr : pass.end.bias + channel;
  t.relu = pass.end.relu;
  // What the line below will read anew, or else the next tile of this line.
  const std::int64_t below = line_axis.outputs > 1 && line_axis.taps() > 0
                                 ? (line_axis.offsets.back() + line_axis.step) * line_axis.x_stride
                                 : tile.rows * x_row;
  t.read_ahead = panel.first == 0 ? address(t.a, below) : address(t.panel, 0);
  t.write_ahead = address(t.c, 0);
  t.fetch_next = c.length() <= kShortChain;
  pass.variant.chain(panel.vectors, static_cast<int>(tile.rows), list.edges)(t);
}

void run_lines(const Pass& pass, Range lines) {
  const ChainPlan& plan = pass.plan;
  const ChainConvolution& c = plan.convolution();
  if (c.length() <= kShortChain && plan.panels().size() > 2) {
    for (std::int64_t i = lines.first; i < lines.last; ++i) {
      const ChainPlan::Line line = plan.line(i);
      for (const ChainPlan::Tile& tile : plan.tiles())
        for (const ChainPlan::Panel& panel : plan.panels()) run_tile(pass, line, panel, tile);
    }
    return;
  }
  const std::int64_t positions = plan.by_samples() ? c.samples : c.axes[2].outputs * c.axes[2].step;
  const std::int64_t line_floats = positions * c.groups * (c.depth + c.columns);
  const std::int64_t together =
      plan.packed_floats() <= kCached ? 1 : std::max<std::int64_t>(1, kCached / line_floats);
  for (std::int64_t first = lines.first; first < lines.last; first += together)
    for (const ChainPlan::Panel& panel : plan.panels())
      for (std::int64_t i = first; i < std::min(first + together, lines.last); ++i) {
        const ChainPlan::Line line = plan.line(i);
        for (const ChainPlan::Tile& tile : plan.tiles()) run_tile(pass, line, panel, tile);
      }
}

/// f(lines) of all lines, on as many threads as `work` multiplications are worth.
template <class F>
void share_out(std::int64_t lines, std::int64_t work, const F& f) {
  const std::int64_t parts = work < kWorthThreads ? 1 : threads();
  const std::int64_t slices =
      ProgressHook::wanted() ? std::clamp<std::int64_t>(work / kBetweenCalls / parts, 1, lines) : 1;
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    if (slice > 0) ProgressHook::run();
    const Range part = share(lines, slice, slices);
    parallel_for(parts, [&](std::int64_t i) { f(part_of(part, i, parts, 1)); });
  }
}

void run(const Pass& pass) {
  const ChainConvolution& c = pass.plan.convolution();
  share_out(pass.plan.lines(), c.work(), [&](Range lines) { run_lines(pass, lines); });
}

/// Kernels of at most this many columns are read where they are.
constexpr std::int64_t kFewColumns = 64;

/// Keeps its memory from call to call.
struct Plans {
  ChainConvolution convolution;
  ChainPlan plan;
  FewChannels few;
};

Plans& plans() {
  thread_local Plans kept;
  return kept;
}

Weights pack_forward(const ExactConvolution& variant, const ChainPlan& plan, const float* kernel) {
  const ChainConvolution& c = plan.convolution();
  const std::int64_t columns = c.groups * c.columns;
  if (c.columns % variant.lanes == 0 && columns <= kFewColumns) return {kernel, columns};
  float* const packed = exact_gemm_scratch(plan.packed_floats());
  for (const ChainPlan::Panel& panel : plan.panels())
    variant.pack(kernel + panel.group * c.columns + panel.first, columns, c.length(), panel.count,
                 packed + panel.packed);
  return {packed, 0};
}

/// Of the taps of a phase, flipped: rows (tap, output channel), columns input channels.
Weights pack_phase(const ExactConvolution& variant, const ConvolutionShape& shape,
                   const ChainPlan& plan, const float* kernel) {
  const ChainConvolution& c = plan.convolution();
  float* const packed = exact_gemm_scratch(plan.packed_floats());
  for (const ChainPlan::Panel& panel : plan.panels()) {
    float* to = packed + panel.packed;
    for (const std::int64_t i : c.axes[0].kernel)
      for (const std::int64_t j : c.axes[1].kernel)
        for (const std::int64_t k : c.axes[2].kernel) {
          const std::int64_t tap = (i * shape.kernel[1] + j) * shape.kernel[2] + k;
          variant.pack_transposed(kernel + (tap * c.columns + panel.first) * shape.output_channels +
                                      panel.group * c.depth,
                                  shape.output_channels, c.depth, panel.count, to, panel.width);
          to += c.depth * panel.width;
        }
  }
  return {packed, 0};
}

/// Rows (tap, output channel) of a group's input channels, group by group.
void pack_few(const ConvolutionShape& shape, const ChainConvolution& c, const float* kernel,
              float* to) {
  for (std::int64_t group = 0; group < c.groups; ++group)
    for (const std::int64_t i : c.axes[0].kernel)
      for (const std::int64_t j : c.axes[1].kernel)
        for (const std::int64_t k : c.axes[2].kernel) {
          const std::int64_t tap = (i * shape.kernel[1] + j) * shape.kernel[2] + k;
          const float* const from = kernel + tap * c.columns * shape.output_channels;
          for (std::int64_t o = group * c.depth; o < (group + 1) * c.depth; ++o)
            for (std::int64_t column = 0; column < c.columns; ++column)
              *to++ = from[column * shape.output_channels + o];
        }
}

/// f(phase, floats of dx in front of it) of all phases that there are.
template <class F>
void for_phases(const ConvolutionShape& shape, const F& f) {
  ConvolutionShape::Axes phase;
  const auto last = [&](std::size_t i) { return std::min(shape.stride[i], shape.input[i]); };
  for (phase[0] = 0; phase[0] < last(0); ++phase[0])
    for (phase[1] = 0; phase[1] < last(1); ++phase[1])
      for (phase[2] = 0; phase[2] < last(2); ++phase[2])
        f(phase, ((phase[0] * shape.input[1] + phase[1]) * shape.input[2] + phase[2]) *
                     shape.input_channels);
}

void few_input_gradient(const ExactConvolution& variant, const ConvolutionShape& shape,
                        std::int64_t samples, const float* dy, const float* kernel, float* dx) {
  auto& [convolution, plan, few] = plans();
  few.begin(variant);
  float* weights = exact_gemm_scratch(shape.kernel_floats());
  std::int64_t work = 0;
  for_phases(shape, [&](const ConvolutionShape::Axes& phase, std::int64_t first) {
    convolution.set_input_gradient(shape, samples, phase);
    pack_few(shape, convolution, kernel, weights);
    const std::int64_t group_stride = convolution.length() * convolution.columns;
    few.add(convolution, weights, convolution.columns, group_stride, first);
    weights += convolution.groups * group_stride;
    work += convolution.work();
  });
  share_out(samples, work, [&](Range part) { few.run(part, dy, {}, dx); });
}

}  // namespace

void exact_convolve(const ExactConvolution& variant, const ConvolutionShape& shape,
                    std::int64_t samples, const float* x, const float* kernel,
                    const ConvolutionEnd& end, float* y) {
  auto& [convolution, plan, few] = plans();
  convolution.set_forward(simplified(shape), samples);
  if (convolution.is_empty()) return;
  if (FewChannels::suits(variant, convolution)) {
    few.begin(variant);
    few.add(convolution, kernel, shape.output_channels, convolution.columns, 0);
    share_out(samples, convolution.work(), [&](Range part) { few.run(part, x, end, y); });
    return;
  }
  plan.make(convolution, variant);
  run({variant, plan, x, pack_forward(variant, plan, kernel), end, y});
}

void exact_convolve_input_gradient(const ExactConvolution& variant, const ConvolutionShape& given,
                                   std::int64_t samples, const float* dy, const float* kernel,
                                   float* dx) {
  const ConvolutionShape shape = simplified(given);
  auto& [convolution, plan, few] = plans();
  convolution.set_input_gradient(shape, samples, {0, 0, 0});
  if (convolution.is_empty()) return;
  if (FewChannels::suits(variant, convolution))
    return few_input_gradient(variant, shape, samples, dy, kernel, dx);
  for_phases(shape, [&](const ConvolutionShape::Axes& phase, std::int64_t first) {
    convolution.set_input_gradient(shape, samples, phase);
    plan.make(convolution, variant);
    run({variant, plan, dy, pack_phase(variant, shape, plan, kernel), {}, dx + first});
  });
}

}  // namespace lockstep
