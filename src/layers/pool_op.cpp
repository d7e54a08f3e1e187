#include "src/layers/pool_op.hpp"

#include <algorithm>
#include <memory>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/position_axes.hpp"

namespace lockstep {
namespace {

/// Winning cells are kept as bytes, four in the room of a float, if a window's cells can be counted
/// by them; else as floats, which count to 2^24.
constexpr std::int64_t kByteCells = 256;
constexpr std::int64_t kMostCells = std::int64_t{1} << 24;

class PoolOp final : public Op {
 public:
  PoolOp(Pool pool, PoolWindows windows, const Shape& input);

  Needs needs() const override {
    const std::int64_t winners = pool_ == Pool::kMax ? output_floats() : 0;
    return {.kept_per_row = wide_ ? winners : (winners + 3) / 4,
            .backward_reads_x = false,
            .backward_reads_y = false};
  }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  std::int64_t most_cells() const { return most_cells_; }

 private:
  std::int64_t output_floats() const {
    return static_cast<std::int64_t>(windows_.axes[0].size() * windows_.axes[1].size()) *
           line_floats_;
  }
  /// f(line, first float of its cells in a sample's input, of its outputs in a sample's output) of
  /// all lines, in order.
  template <class F>
  void for_lines(const F& f) const;
  void max_forward(const OpValues& values, std::int64_t row) const;
  void max_backward(const OpValues& values, std::int64_t row) const;

  Pool pool_;
  PoolWindows windows_;
  PositionAxes input_;
  std::int64_t channels_;
  std::int64_t line_floats_;  ///< of the output
  std::int64_t most_cells_ = 1;
  bool wide_ = false;
  bool overlap_ = false;
  bool cover_ = true;                       ///< all of the input
  std::vector<std::int64_t> first_, last_;  ///< along the width
};

PoolOp::PoolOp(Pool pool, PoolWindows windows, const Shape& input)
    : pool_(pool),
      windows_(std::move(windows)),
      input_(position_axes(input)),
      channels_(input.back()),
      line_floats_(static_cast<std::int64_t>(windows_.axes[2].size()) * channels_) {
  for (std::size_t axis = 0; axis < windows_.axes.size(); ++axis) {
    std::int64_t covered = 0, most = 0;
    for (const Range& range : windows_.axes[axis]) {
      overlap_ = overlap_ || range.first < covered;
      cover_ = cover_ && range.first <= covered;
      covered = range.last;
      most = std::max(most, range.count());
    }
    cover_ = cover_ && covered == input_[axis];
    most_cells_ *= most;
  }
  wide_ = most_cells_ > kByteCells;
  for (const Range& range : windows_.axes[2]) {
    first_.push_back(range.first);
    last_.push_back(range.last);
  }
}

template <class F>
void PoolOp::for_lines(const F& f) const {
  const std::int64_t height_stride = input_[2] * channels_;
  const std::int64_t depth_stride = input_[1] * height_stride;
  std::int64_t to = 0;
  for (const Range& depth : windows_.axes[0])
    for (const Range& height : windows_.axes[1]) {
      const PoolLine line{.channels = channels_,
                          .outputs = static_cast<std::int64_t>(first_.size()),
                          .first = first_.data(),
                          .last = last_.data(),
                          .depth = depth.count(),
                          .height = height.count(),
                          .depth_stride = depth_stride,
                          .height_stride = height_stride,
                          .adds = overlap_};
      f(line, depth.first * depth_stride + height.first * height_stride, to);
      to += line_floats_;
    }
}

void PoolOp::max_forward(const OpValues& values, std::int64_t row) const {
  const float* const x = values.x().row(row);
  float* const y = values.y().row(row);
  float* const kept = values.kept().empty() ? nullptr : values.kept().row(row);
  auto* const bytes = reinterpret_cast<std::uint8_t*>(kept);
  for_lines([&](const PoolLine& line, std::int64_t from, std::int64_t to) {
    if (wide_)
      kernels().max_pool_wide(x + from, y + to, kept ? kept + to : nullptr, line);
    else
      kernels().max_pool(x + from, y + to, kept ? bytes + to : nullptr, line);
  });
}

void PoolOp::forward(const Pass&, const OpValues& values) const {
  for (std::int64_t i = 0; i < values.rows(); ++i) {
    if (pool_ == Pool::kMax) {
      max_forward(values, i);
      continue;
    }
    for_lines([&](const PoolLine& line, std::int64_t from, std::int64_t to) {
      kernels().average_pool(values.x().row(i) + from, values.y().row(i) + to, line);
    });
  }
}

void PoolOp::max_backward(const OpValues& values, std::int64_t row) const {
  const float* const dy = values.dy().row(row);
  float* const dx = values.dx().row(row);
  const float* const kept = values.kept().row(row);
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(kept);
  for_lines([&](const PoolLine& line, std::int64_t to, std::int64_t from) {
    if (wide_)
      kernels().max_pool_wide_backward(dy + from, kept + from, dx + to, line);
    else
      kernels().max_pool_backward(dy + from, bytes + from, dx + to, line);
  });
}

void PoolOp::backward(const Pass&, const OpValues& values) const {
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  for (std::int64_t i = 0; i < values.rows(); ++i) {
    if (overlap_ || !cover_) std::fill_n(dx.row(i), dx.columns, 0.0f);
    if (pool_ == Pool::kMax) {
      max_backward(values, i);
      continue;
    }
    for_lines([&](const PoolLine& line, std::int64_t to, std::int64_t from) {
      kernels().average_pool_backward(values.dy().row(i) + from, dx.row(i) + to, line);
    });
  }
}

}  // namespace

std::size_t add_pooling(Graph& graph, std::size_t value, Pool pool, PoolWindows windows,
                        const Shape& output) {
  const Shape input = graph.shape(value);
  auto op = std::make_unique<PoolOp>(pool, std::move(windows), input);
  check(op->most_cells() <= kMostCells, ExitCode::kBadData,
        "expected a pooling over at most {} positions, got {}", kMostCells, op->most_cells());
  return graph.add(std::move(op), {value}, output);
}

}  // namespace lockstep
