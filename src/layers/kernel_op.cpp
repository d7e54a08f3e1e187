#include "src/layers/kernel_op.hpp"

#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {

void KernelOp::finish(Matrix y) const {
  const std::int64_t rows = y.rows * positions_;
  if (bias() != nullptr)
    (relu_ ? kernels().add_bias_relu : kernels().add_bias)(y.data, bias(), rows, channels_);
  else if (relu_)
    kernels().relu(y.data, y.size());
}

void KernelOp::backward(const Pass& pass, const OpValues& values) const {
  const Matrix dz = values.dy();
  if (relu_) kernels().relu_backward(values.y().data, dz.data, dz.size());
  const Matrix dx = values.dx();
  if (!dx.empty()) input_gradient(pass, values, dx);
}

void KernelOp::gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                        std::size_t parameter, Range elements, float* out) const {
  if (parameter == kKernel)
    kernel_gradient(pass, values, subtrees, elements, out);
  else
    sum_rows(values.dy().with_columns(channels_), subtrees.with_positions(positions_), elements,
             out);
}

}  // namespace lockstep
