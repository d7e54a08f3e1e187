#include "src/layers/steps_op.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"

namespace lockstep {
namespace {

class StepsOp final : public Op {
 public:
  StepsOp(std::unique_ptr<Op> op, std::int64_t steps) : op_(std::move(op)), steps_(steps) {}

  Needs needs() const override {
    Needs needs = op_->needs();
    needs.kept_per_row *= steps_;
    return needs;
  }
  std::optional<Scaling> scaling() const override { return op_->scaling(); }
  std::optional<Indices> indices() const override { return op_->indices(); }
  std::span<Parameter* const> parameters() const override { return op_->parameters(); }

  void forward(const Pass& pass, const OpValues& values) const override {
    op_->forward(of_steps(pass), values.of_steps(steps_));
  }
  void backward(const Pass& pass, const OpValues& values) const override {
    op_->backward(of_steps(pass), values.of_steps(steps_));
  }
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;
  Range gradient_columns(std::size_t parameter, Range elements,
                         std::int64_t columns) const override;

  void forward_sums(const Pass& pass, const OpValues& values,
                    std::span<double> sums) const override {
    op_->forward_sums(of_steps(pass), values.of_steps(steps_), sums);
  }
  void backward_sums(const Pass& pass, const OpValues& values,
                     std::span<double> sums) const override {
    op_->backward_sums(of_steps(pass), values.of_steps(steps_), sums);
  }
  void update_state(const Pass& pass, std::span<const double> sums) const override {
    op_->update_state(of_steps(pass), sums);
  }

 private:
  Pass of_steps(Pass pass) const {
    pass.first_row *= steps_;
    pass.batch_rows *= steps_;
    return pass;
  }

  std::unique_ptr<Op> op_;
  std::int64_t steps_;
};

/// Some subtrees at a time, which needs no memory.
void StepsOp::gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                       std::size_t parameter, Range elements, float* out) const {
  constexpr std::size_t kTogether = 64;
  std::array<Range, kTogether> samples;
  for (std::size_t first = 0; first < subtrees.size(); first += kTogether) {
    const std::size_t count = std::min(kTogether, subtrees.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const Range of_rows = subtrees.samples[first + i];
      samples[i] = {of_rows.first * steps_, of_rows.last * steps_};
    }
    Subtrees some = subtrees;
    some.samples = std::span(samples).first(count);
    some.grain = subtrees.grain * steps_;
    op_->gradient(of_steps(pass), values.of_steps(steps_), some, parameter, elements,
                  out + static_cast<std::int64_t>(first) * subtrees.stride);
  }
}

Range StepsOp::gradient_columns(std::size_t parameter, Range elements, std::int64_t columns) const {
  const std::int64_t of_step = columns / steps_;
  const Range one = op_->gradient_columns(parameter, elements, of_step);
  return one.count() <= 0 ? one : Range{one.first, (steps_ - 1) * of_step + one.last};
}

}  // namespace

std::unique_ptr<Op> over_steps(std::unique_ptr<Op> op, std::int64_t steps) {
  // By rows of the last axis anyway; a loss may take it over.
  if (const auto* const activation = dynamic_cast<const ActivationOp*>(op.get()))
    return std::make_unique<ActivationOp>(*activation);
  check(!op->needs().adds_to_loss, ExitCode::kBadData,
        "[time_distributed] expected no activity_regularizer of a layer within it, got one");
  return std::make_unique<StepsOp>(std::move(op), steps);
}

}  // namespace lockstep
