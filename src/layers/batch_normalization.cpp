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
/// The sums over the batch are doubles, row by row within a grain, grains by the tree.
class BatchNormalizationOp final : public Op {
 public:
  BatchNormalizationOp(ScaleAndOffset affine, MovingStatistics moving, double epsilon,
                       double momentum, std::int64_t positions, bool trained, bool inference)
      : affine_(std::move(affine)),
        moving_(moving),
        epsilon_(epsilon),
        momentum_(momentum),
        channels_(element_count(moving.mean->shape)),
        positions_(positions),
        trained_(trained),
        inference_(inference || !trained) {}

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
  double count(const Pass& pass) const { return static_cast<double>(pass.batch_rows * positions_); }
  /// Of the batch: sums of x, then of x x.
  Statistics of_batch(const Pass& pass, std::span<const double> sums, std::int64_t channel) const {
    const double sum = sums[static_cast<std::size_t>(channel)];
    return {sum / count(pass),
            variance_of(sum, sums[static_cast<std::size_t>(channels_ + channel)], count(pass))};
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
};

Needs BatchNormalizationOp::needs() const {
  const std::size_t sums = 2 * static_cast<std::size_t>(channels_);
  return {.forward_sums = inference_ ? 0 : sums,
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
  kernels().add_columns(values.x().data, sums.data(), sums.data() + channels_,
                        {values.rows() * positions_, channels_, channels_});
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
      const double share = static_cast<double>(scale[channel]) / count(pass);
      a[i] = static_cast<float>(share * values.backward_sums()[channel]);
      b[i] = static_cast<float>(
          share * values.backward_sums()[static_cast<std::size_t>(channels_) + channel]);
    }
    kernels().normalize_columns_backward(values.x().data + first, dy + first, dx.data + first,
                                         columns, arrays.with_scale(scale + first), a, b);
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
  return graph.add(
      std::make_unique<BatchNormalizationOp>(
          ScaleAndOffset(parameters_, options_.scale, options_.center, channels_),
          MovingStatistics{&parameters_[moving], &parameters_[moving + 1]}, options_.epsilon,
          options_.momentum, element_count(input) / channels_, trainable(), graph.inference()),
      {inputs[0]}, input);
}

/// Keras 3 refuses the list of axes that Keras 2 writes; both read a number.
nlohmann::ordered_json BatchNormalization::config() const {
  nlohmann::ordered_json config{{"axis", options_.axis}, {"momentum", options_.momentum}};
  write_options(config, options_,
                {{"moving_mean_initializer", options_.moving_mean_initializer->to_json()},
                 {"moving_variance_initializer", options_.moving_variance_initializer->to_json()}});
  return config;
}

}  // namespace lockstep
