#include "src/layers/random_factors_op.hpp"

#include "src/kernels/kernels.hpp"

namespace lockstep {

void RandomFactorsOp::forward(const Pass& pass, const OpValues& values) const {
  if (!pass.training || !active_) return copy_values(values.x(), values.y());
  const RowRandom random(pass, purpose_, key_, part_);
  const Matrix factors = values.kept();
  for (std::int64_t i = 0; i < values.rows(); ++i)
    draw(random, values.batch_row() + i, factors.rows_from(i, 1).flat());
  apply(values.x(), factors, values.y());
}

void RandomFactorsOp::backward(const Pass& pass, const OpValues& values) const {
  if (values.dx().empty()) return;
  if (!pass.training || !active_) return copy_values(values.dy(), values.dx());
  multiply(values.dy(), values.kept(), values.dx());
}

void RandomFactorsOp::multiply(ConstMatrix x, ConstMatrix factors, Matrix y) const {
  kernels().multiply(x.data, factors.data, y.data, x.size());
}

}  // namespace lockstep
