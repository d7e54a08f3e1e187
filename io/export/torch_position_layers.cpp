#include <fmt/ranges.h>

#include <numeric>

#include "io/export/torch_code.hpp"

// Positions stand behind channels in PyTorch: (N, C, ...).
namespace lockstep {
namespace {

std::string in_front(const std::string& x) {
  return fmt::format("{}.movedim(-1, 1)", x);
}
std::string behind(const std::string& x) {
  return fmt::format("{}.movedim(1, -1)", x);
}

Shape ones(const Shape& like) {
  return Shape(like.size(), 1);
}

/// nn.ConvNd over x, channels in front on both sides. `kernel`: PyTorch's, (out, in / groups, ...).
std::string convolved(TorchCode& code, const LayerUse& use, const std::string& name, Tensor kernel,
                      std::optional<Tensor> bias, std::int64_t inputs, std::int64_t groups,
                      bool strided, const std::string& x) {
  const Shape size(kernel.shape.begin() + 2, kernel.shape.end());
  const Shape strides = strided ? use.shape_of("strides") : ones(size);
  const Shape dilation = strided ? use.shape_of("dilation_rate") : ones(size);
  const std::string constructor =
      fmt::format("nn.Conv{}d({}, {}, {}, stride={}, dilation={}, groups={}, bias={})", size.size(),
                  inputs, kernel.shape[0], torch_tuple(size), torch_tuple(strides),
                  torch_tuple(dilation), groups, torch_bool(bias.has_value()));
  std::vector<NamedTensor> tensors = {{"weight", std::move(kernel)}};
  if (bias) tensors.push_back({"bias", std::move(*bias)});
  const std::string module = code.module(name, constructor, std::move(tensors));
  const std::string input =
      strided ? torch_padded(x, window_margins(use, size, strides, dilation)) : x;
  return fmt::format("{}({})", module, input);
}

std::optional<Tensor> bias_of(const LayerUse& use) {
  return use.is_set("use_bias") ? std::optional(use.parameter("bias")) : std::nullopt;
}

std::string convolution(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::string z =
      convolved(code, use, code.name_of(use), kernel_in_front(use.parameter("kernel")),
                bias_of(use), use.inputs[0].back(), use.config.at("groups"), true, in_front(x[0]));
  return torch_activated(use, code.assign(behind(z)));
}

std::string depthwise(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::int64_t channels = use.inputs[0].back();
  const std::string z =
      convolved(code, use, code.name_of(use), depthwise_in_front(use.parameter("depthwise_kernel")),
                bias_of(use), channels, channels, true, in_front(x[0]));
  return torch_activated(use, code.assign(behind(z)));
}

std::string separable(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const std::int64_t channels = use.inputs[0].back();
  const std::string name = code.name_of(use);
  Tensor kernel = depthwise_in_front(use.parameter("depthwise_kernel"));
  const std::int64_t between = kernel.shape[0];
  const std::string y =
      code.assign(convolved(code, use, name + "__depthwise", std::move(kernel), std::nullopt,
                            channels, channels, true, in_front(x[0])));
  const std::string z =
      convolved(code, use, name + "__pointwise", kernel_in_front(use.parameter("pointwise_kernel")),
                bias_of(use), between, 1, false, y);
  return torch_activated(use, code.assign(behind(z)));
}

std::string transposed(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Tensor kernel = kernel_in_front(use.parameter("kernel"));  // (in, out, ...)
  const std::vector<Margin> margins = transposed_margins(use);
  Shape more;
  for (const Margin& margin : margins) more.push_back(margin.behind);
  std::vector<NamedTensor> tensors = {{"weight", kernel}};
  if (use.is_set("use_bias")) tensors.push_back({"bias", use.parameter("bias")});
  const std::string module = code.module(
      code.name_of(use),
      fmt::format("nn.ConvTranspose{}d({}, {}, {}, stride={}, dilation={}, output_padding={}, "
                  "bias={})",
                  margins.size(), kernel.shape[0], kernel.shape[1],
                  torch_tuple(use.shape_of("kernel_size")), torch_tuple(use.shape_of("strides")),
                  torch_tuple(use.shape_of("dilation_rate")), torch_tuple(more),
                  torch_bool(use.is_set("use_bias"))),
      std::move(tensors));
  std::string cut;
  for (std::size_t i = 0; i < margins.size(); ++i)
    cut += fmt::format(", {}:{}", margins[i].before, margins[i].before + use.output[i]);
  const std::string z = fmt::format("{}({})[:, :{}]", module, in_front(x[0]), cut);
  return torch_activated(use, code.assign(behind(z)));
}

// --- Pooling ---

std::string pooling(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const Shape size = use.shape_of("pool_size"), strides = use.shape_of("strides");
  const std::vector<Margin> margins = window_margins(use, size, strides, ones(size));
  const bool is_max = use.layer.class_name().starts_with("Max");
  const auto pooled = [&](const std::string& input) {
    return fmt::format("F.{}_pool{}d({}, {}, {})", is_max ? "max" : "avg", size.size(), input,
                       torch_tuple(size), torch_tuple(strides));
  };
  const std::string y = code.assign(in_front(x[0]));
  if (is_max) return behind(pooled(torch_padded(y, margins, ", value=float(\"-inf\")")));
  if (is_nothing(margins)) return behind(pooled(y));
  const std::string counted = pooled(torch_padded(fmt::format("torch.ones_like({})", y), margins));
  return behind(fmt::format("({} / {})", pooled(torch_padded(y, margins)), counted));
}

std::string global_pooling(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  if (use.masks[0] && use.layer.on_mask() == OnMask::kLowers) {  // of the steps that are left
    const std::string counts = code.assign(use.masks[0]->name + ".unsqueeze(-1)");
    return fmt::format("torch.where({0}, {1}, 0.0).sum(1{2}) / {0}.sum(1{2})", counts, x[0],
                       use.is_set("keepdims") ? ", keepdim=True" : "");
  }
  Shape axes(use.inputs[0].size() - 1);
  std::iota(axes.begin(), axes.end(), std::int64_t{1});
  const bool is_max = use.layer.class_name().starts_with("GlobalMax");
  return fmt::format("{}.{}({}, keepdim={})", x[0], is_max ? "amax" : "mean", torch_tuple(axes),
                     torch_bool(use.is_set("keepdims")));
}

std::string adaptive_pooling(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  const Shape size = use.shape_of("output_size");
  const bool is_max = use.layer.class_name().starts_with("AdaptiveMax");
  return behind(fmt::format("F.adaptive_{}_pool{}d({}, {})", is_max ? "max" : "avg", size.size(),
                            in_front(x[0]), torch_tuple(size)));
}

// --- Padding ---

std::string zero_padding(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  const std::string y = in_front(x[0]);
  return behind(torch_padded(y, margins_of(use, "padding")));
}

std::string cropping(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  std::string cut;
  const std::vector<Margin> margins = margins_of(use, "cropping");
  for (std::size_t i = 0; i < margins.size(); ++i)
    cut += fmt::format(", {}:{}", margins[i].before, margins[i].before + use.output[i]);
  return fmt::format("{}[:{}]", x[0], cut);
}

std::string up_sampling(TorchCode&, const LayerUse& use, const TorchInputs& x) {
  if (use.config.value("interpolation", "nearest") == "bilinear")
    return behind(fmt::format("F.interpolate({}, size={}, mode=\"bilinear\")", in_front(x[0]),
                              torch_tuple({use.output[0], use.output[1]})));
  std::string text = x[0];
  for (std::size_t i = 0; i + 1 < use.inputs[0].size(); ++i)
    text += fmt::format(".repeat_interleave({}, {})", use.output[i] / use.inputs[0][i], i + 1);
  return text;
}

}  // namespace

TorchEmits torch_position_layers() {
  TorchEmits emits = {{"SeparableConv1D", separable},
                      {"SeparableConv2D", separable},
                      {"DepthwiseConv1D", depthwise},
                      {"DepthwiseConv2D", depthwise}};
  for (int axes = 1; axes <= 3; ++axes) {
    const auto add = [&](const char* form, TorchEmit emit) {
      emits[fmt::format(fmt::runtime(form), axes)] = emit;
    };
    add("Conv{}D", convolution);
    add("Conv{}DTranspose", transposed);
    add("MaxPooling{}D", pooling);
    add("AveragePooling{}D", pooling);
    add("GlobalMaxPooling{}D", global_pooling);
    add("GlobalAveragePooling{}D", global_pooling);
    add("AdaptiveMaxPooling{}D", adaptive_pooling);
    add("AdaptiveAveragePooling{}D", adaptive_pooling);
    add("ZeroPadding{}D", zero_padding);
    add("Cropping{}D", cropping);
    add("UpSampling{}D", up_sampling);
  }
  return emits;
}

}  // namespace lockstep
