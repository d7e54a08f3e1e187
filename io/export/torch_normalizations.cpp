#include <algorithm>

#include "io/export/torch_code.hpp"

namespace lockstep {
namespace {

/// gamma and beta, whether or not the layer has both.
std::vector<NamedTensor> scale_and_offset(const LayerUse& use, const Shape& shape) {
  return {{"weight", use.parameter_or("gamma", shape, 1)},
          {"bias", use.parameter_or("beta", shape, 0)}};
}

std::string batch_normalization(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::size_t axis = use.axes_of("axis").front();
  const std::int64_t channels = use.inputs[0][axis];
  std::vector<NamedTensor> tensors = scale_and_offset(use, {channels});
  tensors.push_back({"running_mean", use.parameter("moving_mean")});
  tensors.push_back({"running_var", use.parameter("moving_variance")});
  tensors.push_back({"num_batches_tracked", {{}, {0}}, true});
  // Behind channels there may be three axes; of more, all become one.
  const std::size_t behind = use.inputs[0].size() - 1;
  const bool flat = behind > 3;
  const std::size_t axes = flat ? 1 : std::max<std::size_t>(behind, 1);
  const std::string module =
      code.module(code.name_of(use),
                  fmt::format("nn.BatchNorm{}d({}, eps={}, momentum={})", axes, channels,
                              use.number_of("epsilon"), 1 - use.number_of("momentum")),
                  std::move(tensors));
  if (!flat && axis == 0) return fmt::format("{}({})", module, x[0]);
  if (!flat) return fmt::format("{0}({1}.movedim({2}, 1)).movedim(1, {2})", module, x[0], axis + 1);
  const std::string moved = code.assign(fmt::format("{}.movedim({}, 1)", x[0], axis + 1));
  return fmt::format("{0}({1}.flatten(2)).unflatten(2, {1}.shape[2:]).movedim(1, {2})", module,
                     moved, axis + 1);
}

Shape normalized_shape(const LayerUse& use) {
  Shape shape;
  for (const std::size_t axis : use.axes_of("axis")) shape.push_back(use.inputs[0][axis]);
  return shape;
}

std::string layer_normalization(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Shape shape = normalized_shape(use);
  return fmt::format("{}({})",
                     code.module(code.name_of(use),
                                 fmt::format("nn.LayerNorm({}, eps={})", torch_tuple(shape),
                                             use.number_of("epsilon")),
                                 scale_and_offset(use, shape)),
                     x[0]);
}

std::string rms_normalization(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Shape shape = normalized_shape(use);
  return fmt::format("{}({})",
                     code.module(code.name_of(use),
                                 fmt::format("nn.RMSNorm({}, eps={})", torch_tuple(shape),
                                             use.number_of("epsilon")),
                                 {{"weight", use.parameter("scale")}}),
                     x[0]);
}

std::string unit_normalization(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  Shape axes;
  for (const std::size_t axis : use.axes_of("axis"))
    axes.push_back(static_cast<std::int64_t>(axis) + 1);
  return fmt::format("{0} * {0}.square().sum({1}, keepdim=True).clamp(min=1e-12).rsqrt()", x[0],
                     torch_tuple(axes));
}

std::string group_normalization(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::size_t axis = use.axes_of("axis").front();
  const std::int64_t channels = use.inputs[0][axis], given = use.config.at("groups");
  const std::string module =
      code.module(code.name_of(use),
                  fmt::format("nn.GroupNorm({}, {}, eps={})", given == -1 ? channels : given,
                              channels, use.number_of("epsilon")),
                  scale_and_offset(use, {channels}));
  return fmt::format("{0}({1}.movedim({2}, 1)).movedim(1, {2})", module, x[0], axis + 1);
}

}  // namespace

TorchEmits torch_normalizations() {
  return {{"BatchNormalization", batch_normalization},
          {"LayerNormalization", layer_normalization},
          {"RMSNormalization", rms_normalization},
          {"UnitNormalization", unit_normalization},
          {"GroupNormalization", group_normalization}};
}

}  // namespace lockstep
