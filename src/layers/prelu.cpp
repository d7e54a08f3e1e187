#include "src/layers/prelu.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {
namespace {

/// dalpha = sums of x dy where x < 0: over samples ascending, of each over the shared axes in
/// row-major order. The products are kept with the shared axes in front: (positions, alphas).
class PReluOp final : public Op {
 public:
  PReluOp(Parameter* alpha, const Shape& input) : alpha_(alpha), elements_(element_count(input)) {
    std::vector<std::int64_t> strides = row_major_strides(alpha_->shape);
    for (std::size_t k = 0; k < input.size(); ++k)
      if (alpha_->shape[k] != input[k]) strides[k] = 0;
    runs_ = strided_runs(input, strides);
    place_products(input);
  }

  Needs needs() const override {
    return {.kept_per_row = alpha_->trained() ? elements_ : 0,
            .backward_reads_y = false,
            .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return {&alpha_, 1}; }
  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const std::int64_t alphas = element_count(alpha_->shape);
    sum_rows(values.kept().with_columns(alphas), subtrees.with_positions(elements_ / alphas),
             elements, out);
  }
  Range gradient_columns(std::size_t, Range, std::int64_t) const override { return {}; }

 private:
  void place_products(const Shape& input);
  void keep_products(const OpValues& values) const;
  const float* alpha() const { return alpha_->value.data(); }

  Parameter* alpha_;
  std::int64_t elements_;
  StridedRuns runs_;                  ///< of alpha over a sample
  std::vector<std::int64_t> places_;  ///< of the products; empty: as they come
};

void PReluOp::forward(const Pass&, const OpValues& values) const {
  const float* x = values.x().data;
  const Matrix y = values.y();
  float* to = y.data;
  for (std::int64_t i = 0; i < y.rows; ++i) {
    for (const std::int64_t start : runs_.starts) {
      kernels().prelu(x, alpha() + start, runs_.step, to, runs_.length);
      x += runs_.length, to += runs_.length;
    }
  }
}

void PReluOp::backward(const Pass&, const OpValues& values) const {
  if (!values.kept().empty()) keep_products(values);
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  const float* x = values.x().data;
  const float* dy = values.dy().data;
  float* to = dx.data;
  for (std::int64_t i = 0; i < dx.rows; ++i) {
    for (const std::int64_t start : runs_.starts) {
      kernels().prelu_backward(x, alpha() + start, runs_.step, dy, to, runs_.length);
      x += runs_.length, dy += runs_.length, to += runs_.length;
    }
  }
}

void PReluOp::keep_products(const OpValues& values) const {
  const ConstMatrix x = values.x();
  const Matrix dy = values.dy(), kept = values.kept();
  if (places_.empty()) return kernels().prelu_products(x.data, dy.data, kept.data, kept.size());
  for (std::int64_t i = 0; i < kept.rows; ++i)
    for (std::int64_t j = 0; j < elements_; ++j)
      kept.row(i)[places_[static_cast<std::size_t>(j)]] =
          x.row(i)[j] < 0 ? x.row(i)[j] * dy.row(i)[j] : 0.0f;
}

void PReluOp::place_products(const Shape& input) {
  const std::vector<std::int64_t> of_alpha = row_major_strides(alpha_->shape);
  std::vector<std::int64_t> strides(input.size(), 0);
  std::int64_t stride = element_count(alpha_->shape);
  for (std::size_t k = input.size(); k-- > 0;) {
    const bool shared = alpha_->shape[k] != input[k];
    strides[k] = shared ? stride : of_alpha[k];
    if (shared) stride *= input[k];
  }
  const StridedRuns runs = strided_runs(input, strides);
  if (runs.starts.size() == 1 && runs.step <= 1) return;
  places_.reserve(static_cast<std::size_t>(elements_));
  for (const std::int64_t start : runs.starts)
    for (std::int64_t j = 0; j < runs.length; ++j) places_.push_back(start + j * runs.step);
}

}  // namespace

void PRelu::build(const Shape& input) {
  input_ = input;
  Shape alpha = input;
  for (const std::int64_t axis : options_.shared_axes) {
    check(axis >= 1 && axis <= static_cast<std::int64_t>(input.size()), ExitCode::kBadData,
          "[{}] expected shared axes from 1 to {} of {}, got {}", name(), input.size(),
          to_string_batched(input), axis);
    alpha[static_cast<std::size_t>(axis - 1)] = 1;
  }
  parameters_.push_back({.name = "alpha",
                         .shape = std::move(alpha),
                         .initializer = options_.alpha_initializer,
                         .regularizer = options_.alpha_regularizer,
                         .constraint = options_.alpha_constraint});
}

std::size_t PRelu::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape input = graph.shape(inputs[0]);
  check(input == input_, ExitCode::kBadData, "[{}] expected an input {}, got {}", name(),
        to_string_batched(input_), to_string_batched(input));
  return graph.add(std::make_unique<PReluOp>(&parameters_[0], input), {inputs[0]}, input);
}

nlohmann::ordered_json PRelu::config() const {
  nlohmann::ordered_json shared_axes = nullptr;
  if (!options_.shared_axes.empty()) shared_axes = options_.shared_axes;
  return {{"alpha_initializer", options_.alpha_initializer->to_json()},
          {"alpha_regularizer", options_.alpha_regularizer.to_json()},
          {"alpha_constraint", options_.alpha_constraint.to_json()},
          {"shared_axes", shared_axes}};
}

}  // namespace lockstep
