#include "src/layers/depthwise_op.hpp"

#include "src/kernels/depthwise.hpp"
#include "src/layers/kernel_op.hpp"

namespace lockstep {
namespace {

class DepthwiseOp final : public KernelOp {
 public:
  DepthwiseOp(std::vector<Parameter*> parameters, const ConvolutionShape& shape, bool relu)
      : KernelOp(std::move(parameters), ConvolutionShape::product(shape.output),
                 shape.output_channels, relu),
        convolution_(shape) {}

  void forward(const Pass&, const OpValues& values) const override {
    convolution_.forward(values.rows(), values.x().data, kernel(), {bias(), relu()},
                         values.y().data);
  }

 private:
  void input_gradient(const Pass&, const OpValues& values, Matrix dx) const override {
    convolution_.input_gradient(values.rows(), values.dy().data, kernel(), dx.data);
  }
  void kernel_gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                       Range elements, float* out) const override {
    convolution_.kernel_gradient(values.x().data, values.dy().data, subtrees, elements, out);
  }

  DepthwiseConvolution convolution_;
};

}  // namespace

std::unique_ptr<Op> make_depthwise_op(std::vector<Parameter*> parameters,
                                      const ConvolutionShape& shape, bool relu) {
  return std::make_unique<DepthwiseOp>(std::move(parameters), shape, relu);
}

}  // namespace lockstep
