#include "src/layers/depthwise_op.hpp"

#include "src/kernels/depthwise.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

class DepthwiseOp final : public Op {
 public:
  DepthwiseOp(std::vector<Parameter*> parameters, const ConvolutionShape& shape, bool relu)
      : parameters_(std::move(parameters)), shape_(shape), convolution_(shape), relu_(relu) {}

  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = relu_, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    ConvolutionEnd end{.relu = relu_};
    if (parameters_.size() > 1) end.bias = parameters_[kBias]->value.data();
    convolution_.forward(values.rows(), values.x().data, kernel(), end, values.y().data);
  }
  /// dz = dy where relu lets it through, left in dy
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dz = values.dy();
    if (relu_) kernels().relu_backward(values.y().data, dz.data, dz.size());
    const Matrix dx = values.dx();
    if (!dx.empty()) convolution_.input_gradient(values.rows(), dz.data, kernel(), dx.data);
  }
  /// db = column sums of dz over all positions
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override {
    if (parameter == kKernel)
      convolution_.kernel_gradient(values.x().data, values.dy().data, subtrees, elements, out);
    else
      sum_rows(values.dy().with_columns(shape_.output_channels),
               subtrees.with_positions(ConvolutionShape::product(shape_.output)), elements, out);
  }

 private:
  static constexpr std::size_t kKernel = 0, kBias = 1;
  const float* kernel() const { return parameters_[kKernel]->value.data(); }

  std::vector<Parameter*> parameters_;
  ConvolutionShape shape_;
  DepthwiseConvolution convolution_;
  bool relu_;
};

}  // namespace

std::unique_ptr<Op> make_depthwise_op(std::vector<Parameter*> parameters,
                                      const ConvolutionShape& shape, bool relu) {
  return std::make_unique<DepthwiseOp>(std::move(parameters), shape, relu);
}

}  // namespace lockstep
