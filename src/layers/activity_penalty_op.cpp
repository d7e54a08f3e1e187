#include "src/layers/activity_penalty_op.hpp"

#include <algorithm>

namespace lockstep {
namespace {

class ActivityPenaltyOp final : public Op {
 public:
  explicit ActivityPenaltyOp(const Regularizer& regularizer) : regularizer_(regularizer) {}

  Needs needs() const override { return {.backward_reads_y = false, .adds_to_loss = true}; }

  void forward(const Pass&, const OpValues& values) const override {
    const ConstMatrix x = values.x();
    const Matrix y = values.y();
    for (std::int64_t i = 0; i < x.rows; ++i)
      *y.row(i) =
          static_cast<float>(regularizer_.penalty({x.row(i), static_cast<std::size_t>(x.columns)}));
  }

  void backward(const Pass& pass, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (dx.empty()) return;
    std::ranges::fill(dx.flat(), 0.0f);
    const auto rows = static_cast<float>(std::max<std::int64_t>(pass.batch_rows, 1));
    const Regularizer of_mean{regularizer_.l1 / rows, regularizer_.l2 / rows};
    of_mean.add_gradient(values.x().flat(), dx.flat());
  }

 private:
  Regularizer regularizer_;
};

}  // namespace

std::unique_ptr<Op> make_activity_penalty_op(const Regularizer& regularizer) {
  return std::make_unique<ActivityPenaltyOp>(regularizer);
}

}  // namespace lockstep
