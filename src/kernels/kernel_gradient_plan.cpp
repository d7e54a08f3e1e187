#include "src/kernels/kernel_gradient_plan.hpp"

#include <algorithm>
#include <limits>

#include "src/kernels/tile_cost.hpp"

namespace lockstep {
namespace {

/// Runs of fewer rows leave tiles too small: then rows of several taps share one.
constexpr std::int64_t kThinRun = 6;

}  // namespace

void KernelGradientPlan::make(const ExactConvolution& variant, const ConvolutionShape& shape,
                              const GradientBlock& block) {
  shape_ = shape;
  block_ = block;
  channels_ = block.one_output() ? 1 : shape.channels_in_group();
  across_ = shape.groups == 1 && shape.dilation[2] == 1 && shape.before[2] == 0 &&
            (shape.output[2] - 1) * shape.stride[2] + shape.kernel[2] <= shape.input[2];
  run_length_ = across_ ? channels_ * shape.kernel[2] : channels_;
  scattered_ = block.one_output() || (run_length_ < kThinRun && block.rows.count() > run_length_);
  choose(variant);
}

void KernelGradientPlan::choose(const ExactConvolution& variant) {
  const std::int64_t vectors = parts_of(block_.columns.count(), variant.lanes);
  const std::int64_t all_rows = block_.rows.count();
  std::int64_t best = std::numeric_limits<std::int64_t>::max(), width = 1;
  for (std::int64_t most = 1; most <= variant.most_vectors; ++most) {
    const std::int64_t most_rows = variant.most_rows[most - 1];
    const std::int64_t cost =
        scattered_ ? tiles_cost(all_rows, most_rows, vectors, most)
                   : parts_of(all_rows, run_length_) *
                         tiles_cost(std::min(run_length_, all_rows), most_rows, vectors, most);
    if (cost < best) {
      best = cost;
      width = most;
    }
  }
  cut_runs(variant.most_rows[width - 1]);
  panels_.clear();
  sums_floats_ = 0;
  const std::int64_t panels = parts_of(vectors, width);
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const Range part = share(vectors, panel, panels);
    const std::int64_t first = block_.columns.first + part.first * variant.lanes;
    const Range columns{first, std::min(first + part.count() * variant.lanes, block_.columns.last)};
    panels_.push_back({columns, sums_floats_, static_cast<int>(part.count()),
                       static_cast<int>(columns.count() - (part.count() - 1) * variant.lanes)});
    sums_floats_ += all_rows * part.count() * variant.lanes;
  }
}

void KernelGradientPlan::cut_runs(std::int64_t most_rows) {
  runs_.clear();
  tiles_.clear();
  row_offsets_.clear();
  line_rows_.clear();
  stretches_.clear();
  first_stretch_.clear();
  const auto cut = [&](Range rows, auto&& add) {
    const std::int64_t count = parts_of(rows.count(), most_rows);
    for (std::int64_t i = 0; i < count; ++i) {
      const Range part = share(rows.count(), i, count);
      add(Range{rows.first + part.first, rows.first + part.last});
    }
  };
  if (scattered_) {
    cut(block_.rows, [&](Range rows) { add_scattered(rows); });
    return;
  }
  for (std::int64_t row = block_.rows.first; row < block_.rows.last;) {
    const std::int64_t end = std::min(block_.rows.last, (row / run_length_ + 1) * run_length_);
    runs_.push_back({{row, end}, row % run_length_ + block_.group * channels_, 0});
    cut({row, end}, [&](Range rows) { tiles_.push_back({rows, runs_.size() - 1}); });
    row = end;
  }
}

KernelGradientPlan::Axes KernelGradientPlan::tap_of(std::int64_t row) const {
  const std::int64_t tap = row / channels_;
  return {tap / shape_.kernel[2] / shape_.kernel[1], tap / shape_.kernel[2] % shape_.kernel[1],
          tap % shape_.kernel[2]};
}

Range KernelGradientPlan::existing(std::size_t axis, std::int64_t tap) const {
  const std::int64_t stride = shape_.stride[axis];
  const std::int64_t at = tap * shape_.dilation[axis] - shape_.before[axis];
  const std::int64_t first = at >= 0 ? 0 : parts_of(-at, stride);
  const std::int64_t last =
      at >= shape_.input[axis]
          ? 0
          : std::min(shape_.output[axis], (shape_.input[axis] - 1 - at) / stride + 1);
  return {first, std::max(first, last)};
}

/// Floats from where the taps of a position begin.
std::int64_t KernelGradientPlan::offset_of(const Axes& tap) const {
  return ((tap[0] * shape_.dilation[0] * shape_.input[1] + tap[1] * shape_.dilation[1]) *
              shape_.input[2] +
          tap[2] * shape_.dilation[2]) *
         shape_.input_channels;
}

void KernelGradientPlan::add_scattered(Range rows) {
  const std::size_t info = runs_.size();
  runs_.push_back({rows, 0, info});
  tiles_.push_back({rows, info});
  const auto bit = [&](std::int64_t row) { return std::uint32_t{1} << (row - rows.first); };
  row_offsets_.resize((info + 1) * kMostScattered);
  for (std::int64_t row = rows.first; row < rows.last; ++row)
    row_offsets_[info * kMostScattered + static_cast<std::size_t>(row - rows.first)] =
        offset_of(tap_of(row)) +
        (block_.one_output() ? 0 : block_.group * channels_ + row % channels_);
  for (std::int64_t i = 0; i < shape_.output[0]; ++i)
    for (std::int64_t j = 0; j < shape_.output[1]; ++j) {
      std::uint32_t there = 0;
      for (std::int64_t row = rows.first; row < rows.last; ++row) {
        const Axes tap = tap_of(row);
        const Range at0 = existing(0, tap[0]), at1 = existing(1, tap[1]);
        if (i >= at0.first && i < at0.last && j >= at1.first && j < at1.last) there |= bit(row);
      }
      line_rows_.push_back(there);
    }
  first_stretch_.push_back(stretches_.size());
  for (std::int64_t at = 0; at < shape_.output[2];) {
    Stretch stretch{{at, shape_.output[2]}, 0};
    for (std::int64_t row = rows.first; row < rows.last; ++row) {
      const Range there = existing(2, tap_of(row)[2]);
      if (at < there.first) {
        stretch.positions.last = std::min(stretch.positions.last, there.first);
      } else if (at < there.last) {
        stretch.positions.last = std::min(stretch.positions.last, there.last);
        stretch.rows |= bit(row);
      }
    }
    stretches_.push_back(stretch);
    at = stretch.positions.last;
  }
}

void KernelGradientPlan::add_line(const float* a, const float* b, std::int64_t depth,
                                  std::uint32_t rows, std::int64_t dy_stride) {
  if (!lines_.empty()) {
    PositionLine& last = lines_.back();
    if (last.rows == rows && last.b + last.depth * dy_stride == b &&
        last.a + last.depth * shape_.stride[2] * shape_.input_channels == a) {
      last.depth += depth;
      return;
    }
  }
  lines_.push_back({a, b, depth, rows});
}

const std::vector<PositionLine>& KernelGradientPlan::lines(const Run& run,
                                                           const std::vector<Unit>& units,
                                                           const float* x, const float* dy,
                                                           std::int64_t dy_stride) {
  lines_.clear();
  const std::int64_t channels = shape_.input_channels;
  // Where the taps of a place's position 0 begin.
  const auto origin = [&](const Unit& unit) {
    const std::int64_t i = unit.line / shape_.output[1] * shape_.stride[0] - shape_.before[0];
    const std::int64_t j = unit.line % shape_.output[1] * shape_.stride[1] - shape_.before[1];
    return unit.x + ((i * shape_.input[1] + j) * shape_.input[2] - shape_.before[2]) * channels;
  };
  const auto add = [&](const Unit& unit, Range positions, std::int64_t offset, std::uint32_t rows) {
    const Range here{std::max(positions.first, unit.positions.first),
                     std::min(positions.last, unit.positions.last)};
    if (here.count() <= 0 || rows == 0) return;
    add_line(x + origin(unit) + offset + here.first * shape_.stride[2] * channels,
             dy + (unit.dy + here.first - unit.positions.first) * dy_stride, here.count(), rows,
             dy_stride);
  };
  if (scattered_) {
    const auto places = static_cast<std::size_t>(shape_.output[0] * shape_.output[1]);
    const std::size_t last_stretch =
        run.info + 1 < first_stretch_.size() ? first_stretch_[run.info + 1] : stretches_.size();
    for (const Unit& unit : units) {
      const std::uint32_t rows =
          line_rows_[run.info * places + static_cast<std::size_t>(unit.line)];
      for (std::size_t i = first_stretch_[run.info]; i < last_stretch; ++i)
        add(unit, stretches_[i].positions, 0, stretches_[i].rows & rows);
    }
    return lines_;
  }
  const Axes tap = tap_of(run.rows.first);
  const Range at0 = existing(0, tap[0]), at1 = existing(1, tap[1]);
  const Range positions = across_ ? Range{0, shape_.output[2]} : existing(2, tap[2]);
  const std::int64_t offset = offset_of({tap[0], tap[1], across_ ? 0 : tap[2]});
  for (const Unit& unit : units) {
    const std::int64_t i = unit.line / shape_.output[1], j = unit.line % shape_.output[1];
    if (i >= at0.first && i < at0.last && j >= at1.first && j < at1.last)
      add(unit, positions, offset, 1);
  }
  return lines_;
}

}  // namespace lockstep
