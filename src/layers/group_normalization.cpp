#include "src/layers/group_normalization.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/graph/grain_sums.hpp"
#include "src/kernels/gemm.hpp"

namespace lockstep {
namespace {

/// As in batch normalization, but with moments of each group of each sample. Sums of a channel are
/// doubles, by positions; those of a group's channels are added in order.
class GroupNormalizationOp final : public Op {
 public:
  GroupNormalizationOp(ScaleAndOffset affine, double epsilon, std::int64_t groups,
                       std::int64_t channels, std::int64_t positions)
      : affine_(std::move(affine)),
        epsilon_(epsilon),
        groups_(groups),
        channels_(channels),
        of_group_(channels / groups),
        positions_(positions) {}

  Needs needs() const override {
    return {.kept_per_row = kMomentFloats * groups_,
            .backward_reads_y = false,
            .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return affine_.parameters(); }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;

 private:
  /// Whole groups that go together: as many as have few channels, or one.
  static constexpr std::int64_t kGroups = kColumns;
  using OfGroups = std::array<Moments, kGroups>;

  double count() const { return static_cast<double>(of_group_ * positions_); }
  Columns columns(Range channels) const { return {positions_, channels.count(), channels_}; }
  /// f(groups) of all groups, in order.
  template <class F>
  void for_groups(const F& f) const {
    const std::int64_t together = std::max<std::int64_t>(1, kGroups / of_group_);
    for (std::int64_t first = 0; first < groups_; first += together)
      f(Range{first, std::min(first + together, groups_)});
  }
  /// f(channels) of all channels of these groups, a few at a time, in order.
  template <class F>
  void for_channels(Range groups, const F& f) const {
    const std::int64_t end = groups.last * of_group_;
    for (std::int64_t first = groups.first * of_group_; first < end; first += kColumns)
      f(Range{first, std::min(first + kColumns, end)});
  }
  /// Which of the groups a channel belongs to.
  std::size_t group_of(std::int64_t channel, Range groups) const {
    return static_cast<std::size_t>(channel / of_group_ - groups.first);
  }
  OfGroups moments(const float* x, Range groups) const;
  OfGroups kept_moments(const OpValues& values, std::int64_t row, Range groups) const;
  ColumnArrays arrays(Range channels, Range groups, const OfGroups& moments) const;
  void backward(const float* x, const float* dy, float* dx, Range groups,
                const OfGroups& moments) const;

  ScaleAndOffset affine_;
  double epsilon_;
  std::int64_t groups_, channels_, of_group_;
  std::int64_t positions_;
};

/// Of one sample.
GroupNormalizationOp::OfGroups GroupNormalizationOp::moments(const float* x, Range groups) const {
  double sums[kGroups] = {}, squares[kGroups] = {};
  for_channels(groups, [&](Range channels) {
    double of_channel[2][kColumns] = {};
    kernels().add_columns(x + channels.first, of_channel[0], of_channel[1], columns(channels));
    for (std::int64_t i = 0; i < channels.count(); ++i) {
      const std::size_t group = group_of(channels.first + i, groups);
      sums[group] += of_channel[0][i];
      squares[group] += of_channel[1][i];
    }
  });
  OfGroups moments;
  for (std::size_t i = 0; i < static_cast<std::size_t>(groups.count()); ++i)
    moments[i] = moments_of(sums[i] / count(), variance_of(sums[i], squares[i], count()), epsilon_);
  return moments;
}

GroupNormalizationOp::OfGroups GroupNormalizationOp::kept_moments(const OpValues& values,
                                                                  std::int64_t row,
                                                                  Range groups) const {
  OfGroups moments;
  for (std::int64_t i = 0; i < groups.count(); ++i)
    moments[static_cast<std::size_t>(i)] =
        read_moments(values.kept().row(row) + (groups.first + i) * kMomentFloats);
  return moments;
}

ColumnArrays GroupNormalizationOp::arrays(Range channels, Range groups,
                                          const OfGroups& moments) const {
  ColumnArrays arrays;
  for (std::int64_t i = 0; i < channels.count(); ++i)
    arrays.set(i, moments[group_of(channels.first + i, groups)]);
  return arrays;
}

void GroupNormalizationOp::forward(const Pass&, const OpValues& values) const {
  const ConstMatrix x = values.x();
  for (std::int64_t row = 0; row < x.rows; ++row)
    for_groups([&](Range groups) {
      const OfGroups of_groups = moments(x.row(row), groups);
      for_channels(groups, [&](Range channels) {
        const std::int64_t first = channels.first;
        kernels().normalize_columns(
            x.row(row) + first, values.y().row(row) + first, columns(channels),
            arrays(channels, groups, of_groups).with_scale(affine_.scale() + first),
            affine_.offset() + first);
      });
      if (values.kept().empty()) return;
      for (std::int64_t i = 0; i < groups.count(); ++i)
        write_moments(of_groups[static_cast<std::size_t>(i)],
                      values.kept().row(row) + (groups.first + i) * kMomentFloats);
    });
}

/// Of one sample: dx = (g - mean of g - xhat * mean of g xhat) * inverse, g = dy * scale.
void GroupNormalizationOp::backward(const float* x, const float* dy, float* dx, Range groups,
                                    const OfGroups& moments) const {
  double sums[kGroups] = {}, products[kGroups] = {};
  for_channels(groups, [&](Range channels) {
    const std::int64_t first = channels.first;
    const float* const scale = affine_.scale() + first;
    double of_channel[2][kColumns] = {};
    kernels().add_columns_backward(x + first, dy + first, of_channel[0], of_channel[1],
                                   columns(channels),
                                   arrays(channels, groups, moments).with_scale(scale));
    for (std::int64_t i = 0; i < channels.count(); ++i) {
      const std::size_t group = group_of(first + i, groups);
      sums[group] += of_channel[0][i] * static_cast<double>(scale[i]);
      products[group] += of_channel[1][i] * static_cast<double>(scale[i]);
    }
  });
  for_channels(groups, [&](Range channels) {
    const std::int64_t first = channels.first;
    float a[kColumns], b[kColumns];
    for (std::int64_t i = 0; i < channels.count(); ++i) {
      const std::size_t group = group_of(first + i, groups);
      a[i] = static_cast<float>(sums[group] / count());
      b[i] = static_cast<float>(products[group] / count());
    }
    kernels().normalize_columns_backward(
        x + first, dy + first, dx + first, columns(channels),
        arrays(channels, groups, moments).with_scale(affine_.scale() + first), a, b);
  });
}

void GroupNormalizationOp::backward(const Pass&, const OpValues& values) const {
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  for (std::int64_t row = 0; row < dx.rows; ++row)
    for_groups([&](Range groups) {
      backward(values.x().row(row), values.dy().row(row), dx.row(row), groups,
               kept_moments(values, row, groups));
    });
}

/// By the scale: per grain one chain over (sample, position) of dy xhat; by the offset: of dy.
void GroupNormalizationOp::gradient(const Pass&, const OpValues& values, const Subtrees& of_samples,
                                    std::size_t parameter, Range elements, float* out) const {
  if (!affine_.is_scale(parameter))
    return sum_rows(values.dy().with_columns(channels_), of_samples.with_positions(positions_),
                    elements, out);
  sum_grains(of_samples, elements, out, [&](Range samples, Range channels, float* sums) {
    for (std::int64_t row = samples.first; row < samples.last; ++row) {
      ColumnArrays arrays;
      for (std::int64_t i = 0; i < channels.count(); ++i)
        arrays.set(i, read_moments(values.kept().row(row) +
                                   (channels.first + i) / of_group_ * kMomentFloats));
      kernels().add_column_products(values.x().row(row) + channels.first,
                                    values.dy().row(row) + channels.first, sums, columns(channels),
                                    arrays.with_scale(nullptr));
    }
  });
}

}  // namespace

void GroupNormalization::check_input(const Shape& input) const {
  check(!input.empty() && input.back() > 0 && (channels_ == 0 || input.back() == channels_),
        ExitCode::kBadData, "[{}] expected an input with a last axis{}, got {}", name(),
        channels_ == 0 ? "" : fmt::format(" of {}", channels_), to_string_batched(input));
  last_axes(name(), {options_.axis}, input);
  check(options_.groups == -1 || input.back() % options_.groups == 0, ExitCode::kBadData,
        "[{}] expected groups that divide the {} channels of {}, got {}", name(), input.back(),
        to_string_batched(input), options_.groups);
}

void GroupNormalization::build(const Shape& input) {
  check_input(input);
  channels_ = input.back();
  if (options_.groups == -1) options_.groups = channels_;
  add_scale_and_offset(parameters_, options_, {channels_});
}

std::size_t GroupNormalization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check_input(input);
  return graph.add(
      std::make_unique<GroupNormalizationOp>(
          ScaleAndOffset(parameters_, options_.scale, options_.center, channels_), options_.epsilon,
          options_.groups, channels_, element_count(input) / channels_),
      {inputs[0]}, input);
}

nlohmann::ordered_json GroupNormalization::config() const {
  nlohmann::ordered_json config{{"groups", options_.groups}, {"axis", options_.axis}};
  write_options(config, options_, nlohmann::ordered_json::object());
  return config;
}

}  // namespace lockstep
