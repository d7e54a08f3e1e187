#include "src/activations/activation.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

struct Named {
  Activation activation;
  std::string_view name;
};
// Where Keras has two names, the first one is written.
constexpr auto kNames = std::to_array<Named>({
    {Activation::kLinear, "linear"},
    {Activation::kRelu, "relu"},
    {Activation::kSigmoid, "sigmoid"},
    {Activation::kTanh, "tanh"},
    {Activation::kSoftmax, "softmax"},
    {Activation::kElu, "elu"},
    {Activation::kSelu, "selu"},
    {Activation::kGelu, "gelu"},
    {Activation::kSilu, "swish"},
    {Activation::kSilu, "silu"},
    {Activation::kSoftplus, "softplus"},
    {Activation::kLeakyRelu, "leaky_relu"},
});

/// The kernels of the activations that are one function of each element; null for the others.
const ElementWise* element_wise(Activation activation) {
  const Kernels& k = kernels();
  switch (activation) {
    case Activation::kSigmoid:
      return &k.sigmoid;
    case Activation::kTanh:
      return &k.tanh;
    case Activation::kElu:
      return &k.elu;
    case Activation::kSelu:
      return &k.selu;
    case Activation::kGelu:
      return &k.gelu;
    case Activation::kSilu:
      return &k.silu;
    case Activation::kSoftplus:
      return &k.softplus;
    case Activation::kLeakyRelu:
      return &k.leaky_relu;
    case Activation::kLinear:
    case Activation::kRelu:
    case Activation::kSoftmax:
      break;
  }
  return nullptr;
}

}  // namespace

Activation activation_from_name(const std::string& name) {
  std::string known;
  for (const Named& entry : kNames) {
    if (entry.name == name) return entry.activation;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  fail(ExitCode::kBadData, "[activation] expected one of {}, got '{}'", known, name);
}

std::string activation_name(Activation activation) {
  const auto entry = std::ranges::find(kNames, activation, &Named::activation);
  return std::string(entry->name);
}

bool needs_input(Activation activation) {
  return activation == Activation::kGelu || activation == Activation::kSilu;
}

void activate(Activation activation, Matrix z) {
  if (activation == Activation::kLinear || z.size() == 0) return;
  if (activation == Activation::kRelu) return kernels().relu(z.data, z.size());
  if (activation == Activation::kSoftmax)
    return kernels().softmax(z.data, z.data, nullptr, z.rows, z.columns);
  element_wise(activation)->forward(z.data, z.size());
}

void activation_backward(Activation activation, ConstMatrix y, ConstMatrix z, Matrix dy) {
  if (activation == Activation::kLinear) return;
  if (activation == Activation::kRelu) return kernels().relu_backward(y.data, dy.data, dy.size());
  if (activation == Activation::kSoftmax)
    return kernels().softmax_backward(y.data, dy.data, dy.rows, dy.columns);
  element_wise(activation)->backward((needs_input(activation) ? z : y).data, dy.data, dy.size());
}

}  // namespace lockstep
