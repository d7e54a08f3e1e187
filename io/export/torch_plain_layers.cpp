#include <fmt/ranges.h>

#include <cmath>

#include "io/export/torch_code.hpp"
#include "src/layers/activation_layer.hpp"

namespace lockstep {
namespace {

std::string dense(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Tensor kernel = use.parameter("kernel");
  const bool bias = use.is_set("use_bias");
  std::vector<NamedTensor> tensors = {{"weight", kernel.transposed()}};
  if (bias) tensors.push_back({"bias", use.parameter("bias")});
  const std::string linear = code.module(
      code.name_of(use),
      fmt::format("nn.Linear({}, {}, bias={})", kernel.shape[0], kernel.shape[1], torch_bool(bias)),
      std::move(tensors));
  const std::string z = fmt::format("{}({})", linear, x[0]);
  return use.layer.final_activation() == Activation::kLinear ? z
                                                             : torch_activated(use, code.assign(z));
}

std::string activation(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return torch_activation(dynamic_cast<const ActivationLayer&>(use.layer).function(), x[0]);
}

std::string prelu(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::string alpha =
      code.value(code.name_of(use), use.parameter("alpha"), use.layer.trainable());
  return fmt::format("torch.where({0} > 0, {0}, {1} * {0})", x[0], alpha);
}

std::string same(TorchCode&, const LayerUse&, const TorchInputs& x) {
  return x[0];
}

std::string reshape(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{}.reshape(-1, {})", x[0], fmt::join(use.output, ", "));
}

std::string permute(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{}.permute(0, {})", x[0], fmt::join(use.shape_of("dims"), ", "));
}

std::string repeat(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{}.unsqueeze(1).expand(-1, {}, -1)", x[0], use.output[0]);
}

std::string rescaling(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{} * {} + {}", x[0], use.number_of("scale"), use.number_of("offset"));
}

std::string masking(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{0} * ({0} != {1}).any(-1, keepdim=True)", x[0], use.number_of("mask_value"));
}

// --- Merging ---

/// Inputs with fewer axes than the others have theirs last.
std::string chain(const LayerUse& use, const TorchInputs& x, const char* form) {
  std::string text;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool short_one = use.inputs[i].size() < use.output.size();
    const std::string one =
        short_one ? fmt::format("{}.reshape(-1, {})", x[i], fmt::join(use.aligned(i), ", ")) : x[i];
    text = i == 0 ? one : fmt::format(fmt::runtime(form), text, one);
  }
  return text;
}

std::string add(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return chain(use, x, "{} + {}");
}
std::string subtract(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return chain(use, x, "{} - {}");
}
std::string multiply(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return chain(use, x, "{} * {}");
}
std::string average(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("({}) / {}", chain(use, x, "{} + {}"), x.size());
}
std::string maximum(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return chain(use, x, "torch.maximum({}, {})");
}
std::string minimum(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return chain(use, x, "torch.minimum({}, {})");
}

std::string concatenate(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("torch.cat([{}], {})", fmt::join(x, ", "), use.axes_of("axis").front() + 1);
}

std::string dot(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const auto& axes = use.config.at("axes");
  TorchInputs sides;
  for (std::size_t i = 0; i < 2; ++i) {
    const Shape& shape = use.inputs[i];
    const auto axis =
        sample_axis((axes.is_array() ? axes[i] : axes).get<std::int64_t>(), shape.size());
    std::string side = fmt::format("{}.movedim({}, -1).reshape({}.shape[0], -1, {})", x[i],
                                   axis + 1, x[i], shape[axis]);
    if (use.is_set("normalize")) side = fmt::format("F.normalize({}, dim=-1, eps=1e-6)", side);
    sides.push_back(code.assign(side));
  }
  return fmt::format("({} @ {}.mT).reshape(-1, {})", sides[0], sides[1],
                     fmt::join(use.output, ", "));
}

// --- Noise ---

std::string dropout(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  return fmt::format(
      "{}({})",
      code.module(code.name_of(use), fmt::format("nn.Dropout({})", use.number_of("rate")), {}),
      x[0]);
}

std::string alpha_dropout(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("F.alpha_dropout({}, {}, self.training)", x[0], use.number_of("rate"));
}

std::string spatial_dropout(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  Shape mask(use.inputs[0].size(), 1);
  mask.back() = use.inputs[0].back();
  return fmt::format("{0} * F.dropout({0}.new_ones({0}.shape[0], {1}), {2}, self.training)", x[0],
                     fmt::join(mask, ", "), use.number_of("rate"));
}

std::string gaussian_noise(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  return fmt::format("{0} + {1} * torch.randn_like({0}) if self.training else {0}", x[0],
                     use.number_of("stddev"));
}

std::string gaussian_dropout(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  const double rate = use.number_of("rate");
  return fmt::format("{0} * (1 + {1} * torch.randn_like({0})) if self.training else {0}", x[0],
                     std::sqrt(rate / (1 - rate)));
}

}  // namespace

TorchEmits torch_plain_layers() {
  return {{"Dense", dense},
          {"Activation", activation},
          {"ReLU", activation},
          {"LeakyReLU", activation},
          {"ELU", activation},
          {"Softmax", activation},
          {"PReLU", prelu},
          {"InputLayer", same},
          {"Flatten", reshape},
          {"Reshape", reshape},
          {"Permute", permute},
          {"RepeatVector", repeat},
          {"Rescaling", rescaling},
          {"Masking", masking},
          {"Add", add},
          {"Subtract", subtract},
          {"Multiply", multiply},
          {"Average", average},
          {"Maximum", maximum},
          {"Minimum", minimum},
          {"Concatenate", concatenate},
          {"Dot", dot},
          {"Dropout", dropout},
          {"AlphaDropout", alpha_dropout},
          {"SpatialDropout1D", spatial_dropout},
          {"SpatialDropout2D", spatial_dropout},
          {"SpatialDropout3D", spatial_dropout},
          {"GaussianNoise", gaussian_noise},
          {"GaussianDropout", gaussian_dropout},
          {"ActivityRegularization", same}};
}

}  // namespace lockstep
