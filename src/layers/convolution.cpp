#include "src/layers/convolution.hpp"

#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/activation_op.hpp"
#include "src/layers/dense_op.hpp"
#include "src/layers/depthwise_op.hpp"
#include "src/layers/kernel_op.hpp"

namespace lockstep {
namespace {

class ConvolutionOp final : public KernelOp {
 public:
  ConvolutionOp(std::vector<Parameter*> parameters, const ConvolutionShape& shape, bool relu)
      : KernelOp(std::move(parameters), ConvolutionShape::product(shape.output),
                 shape.output_channels, relu),
        shape_(shape) {}

  void forward(const Pass&, const OpValues& values) const override {
    convolve(shape_, values.rows(), values.x().data, kernel(), {bias(), relu()}, values.y().data);
  }

 private:
  void input_gradient(const Pass&, const OpValues& values, Matrix dx) const override {
    convolve_input_gradient(shape_, values.rows(), values.dy().data, kernel(), dx.data);
  }
  void kernel_gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                       Range elements, float* out) const override {
    convolve_kernel_gradient(shape_, values.x().data, values.dy().data, subtrees, elements, out);
  }

  ConvolutionShape shape_;
};

/// Each position is multiplied by one matrix: the chains are those of the products.
bool is_dense(const ConvolutionShape& shape) {
  return ConvolutionShape::product(shape.kernel) == 1 &&
         ConvolutionShape::product(shape.stride) == 1 && shape.groups == 1;
}

/// Each channel is convolved by itself, by a kernel that lies in memory as a DepthwiseConv's. Not
/// where it has more outputs than there are channels: there the general kernels are faster.
bool is_depthwise(const ConvolutionShape& shape, std::size_t axes) {
  return axes <= 2 && shape.groups > 1 && shape.groups == shape.input_channels &&
         shape.output_channels <= shape.groups * shape.groups;
}

}  // namespace

std::unique_ptr<Op> make_convolution_op(std::vector<Parameter*> parameters,
                                        const ConvolutionShape& shape, std::size_t axes,
                                        bool relu) {
  if (is_dense(shape))
    return make_dense_op(std::move(parameters), ConvolutionShape::product(shape.output), relu);
  if (is_depthwise(shape, axes)) return make_depthwise_op(std::move(parameters), shape, relu);
  return std::make_unique<ConvolutionOp>(std::move(parameters), shape, relu);
}

Convolution::Convolution(std::int64_t filters, Window window, Activation activation,
                         std::int64_t groups, Options options)
    : filters_(filters),
      window_(std::move(window)),
      activation_(activation),
      groups_(groups),
      options_(std::move(options)) {
  check(filters > 0 && groups > 0 && filters % groups == 0, ExitCode::kBadData,
        "[convolution] expected a positive number of filters that the number of groups divides, "
        "got {} filters in {} groups",
        filters, groups);
}

std::string Convolution::class_name() const {
  return fmt::format("Conv{}D", window_.axes());
}

ConvolutionShape Convolution::shape_over(const Shape& input) const {
  ConvolutionShape shape = window_over(name(), window_, input);
  shape.output_channels = filters_;
  shape.groups = groups_;
  return shape;
}

void Convolution::build(const Shape& input) {
  inputs_ = shape_over(input).input_channels;
  check(inputs_ % groups_ == 0, ExitCode::kBadData,
        "[{}] expected a number of input channels that its {} groups divide, got {}", name(),
        groups_, inputs_);
  Shape kernel = window_.size;
  kernel.push_back(inputs_ / groups_);
  kernel.push_back(filters_);
  parameters_ = options_.parameters(std::move(kernel), filters_);
}

std::size_t Convolution::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const ConvolutionShape shape = shape_over(graph.shape(inputs[0]));
  check(shape.input_channels == inputs_, ExitCode::kBadData,
        "[{}] expected an input of {} channels, as before, got {}", name(), inputs_,
        shape.input_channels);
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : parameters_) parameters.push_back(&parameter);
  const bool relu = activation_ == Activation::kRelu;
  const std::size_t z =
      graph.add(make_convolution_op(std::move(parameters), shape, window_.axes(), relu),
                {inputs[0]}, output_of(shape, window_.axes(), filters_));
  return relu ? z : activated(graph, z, activation_);
}

nlohmann::ordered_json Convolution::config() const {
  nlohmann::ordered_json config = {{"filters", filters_},
                                   {"kernel_size", window_.size},
                                   {"strides", window_.strides},
                                   {"padding", padding_name(window_.padding)},
                                   {"data_format", "channels_last"},
                                   {"dilation_rate", window_.dilation},
                                   {"groups", groups_},
                                   {"activation", activation_name(activation_)}};
  options_.write(config);
  return config;
}

}  // namespace lockstep
