#include "src/layers/batch_normalization.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

struct MovingStatistics {
  Parameter* mean;
  Parameter* variance;
};

/// Of each channel, in float32, with mean and variance in double (see Moments):
///   xhat = ((x - mean) - rest) * inverse, y = fma(xhat, gamma, beta)
///   dx = fma(-xhat, b, fma(dy, gamma, -a)) * inverse, where a = gamma * mean of dy and
///   b = gamma * mean of dy xhat
/// The sums over the batch are doubles, row by row within a grain, grains by the tree. With a mask,
/// x(1), sums and means are those of the positions that count, whose number is one sum more; all
/// positions are normalized, but a and b are those of the ones that count, 0 elsewhere.
class BatchNormalizationOp final : public Op {
 public:
  BatchNormalizationOp(ScaleAndOffset affine, MovingStatistics moving, double epsilon,
                       double momentum, std::int64_t positions, bool trained, bool inference,
                       bool masked)
      : affine_(std::move(affine)),
        moving_(moving),
        epsilon_(epsilon),
        momentum_(momentum),
        channels_(element_count(moving.mean->shape)),
        positions_(positions),
        trained_(trained),
        inference_(inference || !trained),
        masked_(masked) {}

  Needs needs() const override;
  std::span<Parameter* const> parameters() const override { return affine_.parameters(); }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;
  void forward_sums(const Pass& pass, const OpValues& values,
                    std::span<double> sums) const override;
  void backward_sums(const Pass& pass, const OpValues& values,
                     std::span<double> sums) const override;
  void update_state(const Pass& pass, std::span<const double> sums) const override;

 private:
  struct Statistics {
    double mean, variance;
  };
  /// `sums`: forward's. Keras divides what a mask leaves by its number and 1e-7.
  double count(const Pass& pass, std::span<const double> sums) const {
    return masked_ ? sums.back() + 1e-7 : static_cast<double>(pass.batch_rows * positions_);
  }
  /// Of the batch: sums of x, then of x x.
  Statistics of_batch(const Pass& pass, std::span<const double> sums, std::int64_t channel) const {
    const double sum = sums[static_cast<std::size_t>(channel)];
    const double n = count(pass, sums);
    return {sum / n, variance_of(sum, sums[static_cast<std::size_t>(channels_ + channel)], n)};
  }
  /// f(first position, number, whether they count) of positions that stand together.
  template <class F>
  void for_runs(const OpValues& values, const F& f) const {
    const std::int64_t all = values.rows() * positions_;
    if (!masked_) return f(0, all, true);
    const float* const mask = values.x(1).data;
    for (std::int64_t first = 0, end = 0; first < all; first = end) {
      while (end < all && mask[end] == mask[first]) ++end;
      f(first, end - first, mask[first] != 0);
    }
  }
  bool uses_batch(const Pass& pass) const { return pass.training && !inference_; }
  /// f(columns, first channel, moments) of a few channels at a time. Moments of moving statistics.
  template <class F>
  void for_channels(const Pass& pass, const OpValues& values, const F& f) const;

  ScaleAndOffset affine_;
  MovingStatistics moving_;
  double epsilon_, momentum_;
  std::int64_t channels_;
  std::int64_t positions_;
  bool trained_;    ///< gamma and beta
  bool inference_;  ///< it uses the moving statistics, in training too
  bool masked_;
};

Needs BatchNormalizationOp::needs() const {
  const std::size_t sums = 2 * static_cast<std::size_t>(channels_);
  return {.forward_sums = inference_ ? 0 : sums + (masked_ ? 1 : 0),
          .backward_sums = trained_ ? sums : 0,
          .forward_in_place = !trained_,
          .backward_in_place = true,
          .backward_reads_x = trained_,
          .backward_reads_y = false,
          .gradient_reads_y = false};
}

template <class F>
void BatchNormalizationOp::for_channels(const Pass& pass, const OpValues& values,
                                        const F& f) const {
  ColumnArrays arrays;
  for (std::int64_t first = 0; first < channels_; first += kColumns) {
    const std::int64_t some = std::min(kColumns, channels_ - first);
    for (std::int64_t i = 0; i < some; ++i) {
      const auto channel = static_cast<std::size_t>(first + i);
      const Statistics statistics =
          uses_batch(pass) ? of_batch(pass, values.forward_sums(), first + i)
                           : Statistics{static_cast<double>(moving_.mean->value[channel]),
                                        static_cast<double>(moving_.variance->value[channel])};
      arrays.set(i, moments_of(statistics.mean, statistics.variance, epsilon_));
    }
    f(Columns{values.rows() * positions_, some, channels_}, first, arrays);
  }
}

void BatchNormalizationOp::forward_sums(const Pass&, const OpValues& values,
                                        std::span<double> sums) const {
  std::ranges::fill(sums, 0.0);
  for_runs(values, [&](std::int64_t first, std::int64_t number, bool counts) {
    if (!counts) return;
    kernels().add_columns(values.x().data + first * channels_, sums.data(), sums.data() + channels_,
                          {number, channels_, channels_});
    if (masked_) sums.back() += static_cast<double>(number);
  });
}

void BatchNormalizationOp::forward(const Pass& pass, const OpValues& values) const {
  for_channels(pass, values,
               [&](const Columns& columns, std::int64_t first, const ColumnArrays& arrays) {
                 kernels().normalize_columns(values.x().data + first, values.y().data + first,
                                             columns, arrays.with_scale(affine_.scale() + first),
                                             affine_.offset() + first);
               });
}

/// Sums of dy, then of dy xhat.
void BatchNormalizationOp::backward_sums(const Pass& pass, const OpValues& values,
                                         std::span<double> sums) const {
  std::ranges::fill(sums, 0.0);
  for_channels(
      pass, values, [&](const Columns& columns, std::int64_t first, const ColumnArrays& arrays) {
        kernels().add_columns_backward(values.x().data + first, values.dy().data + first,
                                       sums.data() + first, sums.data() + channels_ + first,
                                       columns, arrays.with_scale(affine_.scale() + first));
      });
}

void BatchNormalizationOp::backward(const Pass& pass, const OpValues& values) const {
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  const float* const scale = affine_.scale();
  const float* const dy = values.dy().data;
  float a[kColumns] = {}, b[kColumns] = {};
  for_channels(pass, values, [&](const Columns& columns, std::int64_t first, ColumnArrays& arrays) {
    if (inference_) {  // dx = dy * inverse * gamma
      std::ranges::fill(arrays.mean, 0.0f);
      std::ranges::fill(arrays.rest, 0.0f);
      return kernels().normalize_columns(dy + first, dx.data + first, columns,
                                         arrays.with_scale(scale + first), a);
    }
    for (std::int64_t i = 0; i < columns.count; ++i) {
      const auto channel = static_cast<std::size_t>(first + i);
      const double share = static_cast<double>(scale[channel]) / count(pass, values.forward_sums());
      a[i] = static_cast<float>(share * values.backward_sums()[channel]);
      b[i] = static_cast<float>(
          share * values.backward_sums()[static_cast<std::size_t>(channels_) + channel]);
    }
    const float none[kColumns] = {};
    for_runs(values, [&](std::int64_t position, std::int64_t number, bool counts) {
      const std::int64_t at = position * channels_ + first;
      kernels().normalize_columns_backward(
          values.x().data + at, dy + at, dx.data + at, {number, columns.count, channels_},
          arrays.with_scale(scale + first), counts ? a : none, counts ? b : none);
    });
  });
}

/// The backward sums are the gradients by gamma and beta of the whole batch. All of it counts for
/// the subtree that has the batch's first row; zeros of the others change nothing.
void BatchNormalizationOp::gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                                    std::size_t parameter, Range elements, float* out) const {
  const std::int64_t sums = affine_.is_scale(parameter) ? channels_ : 0;
  for (const Range samples : subtrees.samples) {
    const bool first = samples.count() > 0 && values.batch_row() + samples.first == 0;
    for (std::int64_t i = 0; i < elements.count(); ++i) {
      const auto at = static_cast<std::size_t>(sums + elements.first + i);
      // -0 + 0 is 0, as it becomes where another subtree adds its zero.
      out[i] = first ? static_cast<float>(values.backward_sums()[at]) + 0.0f : 0.0f;
    }
    out += subtrees.stride;
  }
}

void BatchNormalizationOp::update_state(const Pass& pass, std::span<const double> sums) const {
  const auto momentum = static_cast<float>(momentum_);
  const auto rest = static_cast<float>(1 - momentum_);
  for (std::int64_t i = 0; i < channels_; ++i) {
    const Statistics batch = of_batch(pass, sums, i);
    float& mean = moving_.mean->value[static_cast<std::size_t>(i)];
    float& variance = moving_.variance->value[static_cast<std::size_t>(i)];
    mean = mean * momentum + static_cast<float>(batch.mean) * rest;
    variance = variance * momentum + static_cast<float>(batch.variance) * rest;
  }
}

}  // namespace

void BatchNormalization::check_input(const Shape& input) const {
  check(!input.empty() && input.back() > 0 && (channels_ == 0 || input.back() == channels_),
        ExitCode::kBadData, "[{}] expected an input with a last axis{}, got {}", name(),
        channels_ == 0 ? "" : fmt::format(" of {}", channels_), to_string_batched(input));
  last_axes(name(), {options_.axis}, input);
}

void BatchNormalization::build(const Shape& input) {
  check_input(input);
  channels_ = input.back();
  add_scale_and_offset(parameters_, options_, {channels_});
  parameters_.push_back({.name = "moving_mean",
                         .shape = {channels_},
                         .initializer = options_.moving_mean_initializer,
                         .regularizer = {},
                         .role = ParameterRole::kState});
  parameters_.push_back({.name = "moving_variance",
                         .shape = {channels_},
                         .initializer = options_.moving_variance_initializer,
                         .regularizer = {},
                         .role = ParameterRole::kState});
}

std::size_t BatchNormalization::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check_input(input);
  if (uses() == 0) inference_ = graph.inference();
  // Else one call would read the moving statistics of ranks that share them while another moves
  // them.
  check(!trainable() || inference_ == graph.inference(), ExitCode::kBadData,
        "[{}] expected all calls with training=False or none, got both", name());
  const std::size_t moving = parameters_.size() - 2;
  const auto mask = graph.mask(inputs[0]);
  const bool masked = mask && trainable() && !graph.inference();
  check(!masked || element_count(graph.shape(*mask)) == element_count(input) / channels_,
        ExitCode::kBadData, "[{}] expected a mask of each position of {}, got one of {}", name(),
        to_string_batched(input), mask ? to_string_batched(graph.shape(*mask)) : "");
  std::vector<std::size_t> read{inputs[0]};
  if (masked) read.push_back(*mask);
  const std::size_t output =
      graph.add(std::make_unique<BatchNormalizationOp>(
                    ScaleAndOffset(parameters_, options_.scale, options_.center, channels_),
                    MovingStatistics{&parameters_[moving], &parameters_[moving + 1]},
                    options_.epsilon, options_.momentum, element_count(input) / channels_,
                    trainable(), graph.inference(), masked),
                std::move(read), input);
  graph.set_mask(output, mask);
  return output;
}

/// Keras 3 refuses the list of axes that Keras 2 writes; both read a number.
nlohmann::ordered_json BatchNormalization::config() const {
  const std::int64_t axis = channels_first() ? 1 : options_.axis;
  nlohmann::ordered_json config{{"axis", axis}, {"momentum", options_.momentum}};
  write_options(config, options_,
                {{"moving_mean_initializer", options_.moving_mean_initializer->to_json()},
                 {"moving_variance_initializer", options_.moving_variance_initializer->to_json()}});
  return config;
}

}  // namespace lockstep
