#include "src/kernels/few_channels.hpp"

#include <algorithm>

#include "src/core/float_buffer.hpp"
#include "src/kernels/tile_cost.hpp"

namespace lockstep {
namespace {

std::int64_t rounded_up(std::int64_t extent, std::int64_t unit) {
  return parts_of(extent, unit) * unit;
}

/// Rounded down.
std::int64_t quotient(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -parts_of(-a, b);
}

/// Memory of this thread that is kept from call to call.
struct Kept {
  FloatBuffer floats;
  std::vector<PositionsTap> taps;
};

Kept& kept() {
  thread_local Kept memory;
  return memory;
}

}  // namespace

bool FewChannels::suits(const ExactConvolution& variant, const ChainConvolution& c) {
  const std::int64_t positions = c.axes[2].outputs;
  // Lanes in use, and enough terms to make up for transposing.
  return c.columns * 2 <= variant.lanes && c.taps() > 2 &&
         positions * variant.lanes > 2 * c.columns * rounded_up(positions, variant.lanes);
}

void FewChannels::add(const ChainConvolution& convolution, const float* weights,
                      std::int64_t stride, std::int64_t group_stride, std::int64_t y_first) {
  if (passes_ == kept_.size()) kept_.emplace_back();
  Pass& pass = kept_[passes_++];
  pass.convolution = convolution;
  pass.weights = weights;
  pass.weights_stride = stride;
  pass.group_stride = group_stride;
  pass.y_first = y_first;
  const ChainAxis& axis = convolution.axes[2];
  const std::int64_t lanes = variant_->lanes;
  pass.vectors = parts_of(axis.outputs, lanes);
  pass.lanes.clear();
  for (std::int64_t vector = 0; vector < pass.vectors; ++vector)
    for (const std::int64_t offset : axis.offsets) {
      std::uint32_t there = 0;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const std::int64_t at = (vector * lanes + lane) * axis.step + offset;
        if (at >= 0 && at < axis.inputs) there |= std::uint32_t{1} << lane;
      }
      pass.lanes.push_back(there);
    }
}

/// All passes over one sample after another, on one thread.
class FewChannels::SampleRun {
 public:
  SampleRun(const FewChannels& all, const float* x, const ConvolutionEnd& end, float* y)
      : all_(all), variant_(*all.variant_), x_(x), end_(end), y_(y), memory_(kept()) {
    const ChainConvolution& c = all.kept_.front().convolution;  // x is the same for all
    step_ = c.axes[2].step;
    inputs_ = c.axes[2].inputs;
    channels_ = c.groups * c.depth;
    row_ = rounded_up(parts_of(inputs_, step_), variant_.lanes);
    line_ = step_ * channels_ * row_;
    lines_ = c.axes[0].inputs * c.axes[1].inputs;
    std::int64_t margin = 0;
    for (std::size_t i = 0; i < all.passes_; ++i) {
      const ChainAxis& axis = all.kept_[i].convolution.axes[2];
      std::int64_t furthest = axis.outputs + 2 * variant_.lanes;
      for (const std::int64_t offset : axis.offsets)
        furthest = std::max(
            furthest, axis.outputs + 2 * variant_.lanes + std::max(offset, -offset) / step_ + 1);
      margin = std::max(margin, furthest);
    }
    const std::int64_t floats = lines_ * line_ + 2 * margin;
    transposed_ = memory_.floats.at_least(floats) + margin;
  }

  void run(std::int64_t sample) {
    ready_ = 0;
    for (std::size_t i = 0; i < all_.passes_; ++i) {
      const Pass& pass = all_.kept_[i];
      const ChainConvolution& c = pass.convolution;
      for (std::int64_t group = 0; group < c.groups; ++group) run_group(pass, group, sample);
    }
  }

 private:
  /// Vectors of positions whose lines have the same taps.
  struct Gathered {
    Range taps0, taps1;
    std::int64_t count = 0;
    std::int64_t vector[PositionsTap::kMostVectors];  ///< within its line
  };

  void run_group(const Pass& pass, std::int64_t group, std::int64_t sample) {
    const ChainConvolution& c = pass.convolution;
    std::int64_t most = variant_.most_vectors;
    while (variant_.most_rows[most - 1] < c.columns) --most;
    PositionsTile t{};
    t.depth = c.depth;
    t.a_stride = pass.weights_stride;
    t.b_stride = row_;
    t.c_stride = c.axes[2].y_stride;
    t.bias = end_.bias == nullptr ? nullptr : end_.bias + group * c.columns;
    t.relu = end_.relu;
    Gathered gathered;
    for (std::int64_t i = 0; i < c.axes[0].outputs; ++i)
      for (std::int64_t j = 0; j < c.axes[1].outputs; ++j) {
        const Range taps0 = c.axes[0].existing(i), taps1 = c.axes[1].existing(j);
        if (gathered.count > 0 && (taps0 != gathered.taps0 || taps1 != gathered.taps1))
          finish(pass, group, t, gathered);
        gathered.taps0 = taps0;
        gathered.taps1 = taps1;
        if (taps0.count() > 0 && taps1.count() > 0)
          transpose(sample, line_of(c, i, j, taps0.last - 1, taps1.last - 1));
        for (std::int64_t vector = 0; vector < pass.vectors; ++vector) {
          const std::int64_t first = vector * variant_.lanes;
          const auto at = static_cast<std::size_t>(gathered.count);
          t.b[at] = transposed_ +
                    (i * c.axes[0].step * c.axes[1].inputs + j * c.axes[1].step) * line_ + first;
          t.c[at] = y_ + pass.y_first + sample * c.y_sample + i * c.axes[0].y_stride +
                    j * c.axes[1].y_stride + first * t.c_stride + group * c.columns;
          t.lanes[at] =
              static_cast<int>(std::min<std::int64_t>(variant_.lanes, c.axes[2].outputs - first));
          gathered.vector[at] = vector;
          if (++gathered.count == most) finish(pass, group, t, gathered);
        }
      }
    if (gathered.count > 0) finish(pass, group, t, gathered);
  }

  static std::int64_t offset(const ChainAxis& axis, std::int64_t tap) {
    return axis.offsets[static_cast<std::size_t>(tap)];
  }
  std::int64_t line_of(const ChainConvolution& c, std::int64_t i, std::int64_t j, std::int64_t tap0,
                       std::int64_t tap1) const {
    return (i * c.axes[0].step + offset(c.axes[0], tap0)) * c.axes[1].inputs + j * c.axes[1].step +
           offset(c.axes[1], tap1);
  }

  /// Lines up to `last`: to (place among `step`, channel, position / step).
  void transpose(std::int64_t sample, std::int64_t last) {
    const std::int64_t width = inputs_ * channels_;
    for (; ready_ <= last; ++ready_) {
      const float* const from = x_ + (sample * lines_ + ready_) * width;
      for (std::int64_t place = 0; place < std::min(step_, inputs_); ++place) {
        float* const to = transposed_ + ready_ * line_ + place * channels_ * row_;
        transpose_line(from + place * channels_, parts_of(inputs_ - place, step_), to);
      }
    }
  }

  void transpose_line(const float* from, std::int64_t count, float* to) const {
    const std::int64_t lanes = variant_.lanes, stride = step_ * channels_;
    const std::int64_t whole = count < lanes ? count : count / lanes * lanes;
    variant_.pack_transposed(from, stride, channels_, whole, to, row_);
    if (whole == count) return;
    const std::int64_t last = count - lanes;  // a vector again, partly the same
    variant_.pack_transposed(from + last * stride, stride, channels_, lanes, to + last, row_);
  }

  void finish(const Pass& pass, std::int64_t group, PositionsTile& t, Gathered& gathered) {
    const ChainConvolution& c = pass.convolution;
    auto& taps = memory_.taps;
    taps.clear();
    for (std::int64_t i = gathered.taps0.first; i < gathered.taps0.last; ++i)
      for (std::int64_t j = gathered.taps1.first; j < gathered.taps1.last; ++j)
        for (std::int64_t k = 0; k < c.axes[2].taps(); ++k) {
          PositionsTap tap{};
          tap.whole = true;
          std::uint32_t any = 0;
          for (std::size_t v = 0; v < static_cast<std::size_t>(gathered.count); ++v) {
            tap.lanes[v] =
                pass.lanes[static_cast<std::size_t>(gathered.vector[v] * c.axes[2].taps() + k)];
            const std::uint32_t wanted = (std::uint32_t{2} << (t.lanes[v] - 1)) - 1;
            any |= tap.lanes[v] & wanted;
            tap.whole = tap.whole && (tap.lanes[v] & wanted) == wanted;
          }
          if (any == 0) continue;
          const std::int64_t along = offset(c.axes[2], k), places = quotient(along, step_);
          tap.a =
              pass.weights + group * pass.group_stride +
              ((i * c.axes[1].taps() + j) * c.axes[2].taps() + k) * c.depth * pass.weights_stride;
          tap.b = (offset(c.axes[0], i) * c.axes[1].inputs + offset(c.axes[1], j)) * line_ +
                  ((along - places * step_) * channels_ + group * c.depth) * row_ + places;
          taps.push_back(tap);
        }
    t.taps = taps.data();
    t.count = std::ssize(taps);
    variant_.positions(static_cast<int>(gathered.count), static_cast<int>(c.columns))(t);
    gathered.count = 0;
  }

  const FewChannels& all_;
  const ExactConvolution& variant_;
  const float* const x_;
  const ConvolutionEnd& end_;
  float* const y_;
  Kept& memory_;
  std::int64_t step_, inputs_, channels_, row_, line_, lines_;
  float* transposed_;
  std::int64_t ready_ = 0;
};

void FewChannels::run(Range samples, const float* x, const ConvolutionEnd& end, float* y) const {
  SampleRun run(*this, x, end, y);
  for (std::int64_t sample = samples.first; sample < samples.last; ++sample) run.run(sample);
}

}  // namespace lockstep
