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
    {Activation::kElu, "celu"},  // with Keras's alpha of 1 they are the same
    {Activation::kRelu6, "relu6"},
    {Activation::kSoftsign, "softsign"},
    {Activation::kExponential, "exponential"},
    {Activation::kMish, "mish"},
    {Activation::kHardSigmoid, "hard_sigmoid"},
    {Activation::kHardSilu, "hard_silu"},
    {Activation::kHardSilu, "hard_swish"},
    {Activation::kHardTanh, "hard_tanh"},
    {Activation::kLogSigmoid, "log_sigmoid"},
    {Activation::kLogSoftmax, "log_softmax"},
    {Activation::kSquareplus, "squareplus"},
    {Activation::kSparsePlus, "sparse_plus"},
    {Activation::kSparseSigmoid, "sparse_sigmoid"},
    {Activation::kTanhShrink, "tanh_shrink"},
    {Activation::kSoftShrink, "soft_shrink"},
    {Activation::kHardShrink, "hard_shrink"},
});

/// The activations that are functions of a row: of the last axis.
struct RowWise {
  Activation activation;
  void (*forward)(Matrix z);
  void (*backward)(ConstMatrix y, Matrix dy);
};
constexpr RowWise kRowWise[] = {
    {Activation::kSoftmax,
     [](Matrix z) { kernels().softmax(z.data, z.data, nullptr, z.rows, z.columns); },
     [](ConstMatrix y, Matrix dy) {
       kernels().softmax_backward(y.data, dy.data, dy.rows, dy.columns);
     }},
    {Activation::kLogSoftmax, [](Matrix z) { kernels().log_softmax(z.data, z.rows, z.columns); },
     [](ConstMatrix y, Matrix dy) {
       kernels().log_softmax_backward(y.data, dy.data, dy.rows, dy.columns);
     }},
};
/// Null if it is none of them.
const RowWise* row_wise(Activation activation) {
  const auto* found = std::ranges::find(kRowWise, activation, &RowWise::activation);
  return found == std::end(kRowWise) ? nullptr : found;
}

/// The activations that are one function of each element.
const ElementWise& element_wise(Activation activation) {
  return kernels().activations[static_cast<std::size_t>(activation)];
}

}  // namespace

ActivationConstants default_constants(Activation activation) {
  if (activation == Activation::kElu) return {.alpha = 1.0f};
  if (activation == Activation::kLeakyRelu) return {.alpha = 0.2f};
  return {};
}

Activation activation_from_name(const std::string& name, KerasMajor keras) {
  if (name == "hard_sigmoid" && keras == KerasMajor::k2) return Activation::kHardSigmoidKeras2;
  std::string known;
  for (const Named& entry : kNames) {
    if (entry.name == name) return entry.activation;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  fail(ExitCode::kBadData, "[activation] expected one of {}, got '{}'", known, name);
}

std::string activation_name(Activation activation) {
  if (activation == Activation::kHardSigmoidKeras2) activation = Activation::kHardSigmoid;
  if (activation == Activation::kClippedRelu) activation = Activation::kRelu;
  const auto entry = std::ranges::find(kNames, activation, &Named::activation);
  return std::string(entry->name);
}

bool is_only_of_keras(Activation activation, KerasMajor keras) {
  return activation ==
         (keras == KerasMajor::k2 ? Activation::kHardSigmoidKeras2 : Activation::kHardSigmoid);
}

bool is_row_wise(Activation activation) {
  return row_wise(activation) != nullptr;
}

bool needs_input(Activation activation) {
  return element_wise(activation).by_input;
}

void activate(const ActivationFunction& activation, Matrix z) {
  if (activation.kind == Activation::kLinear || z.size() == 0) return;
  if (activation.kind == Activation::kRelu) return kernels().relu(z.data, z.size());
  if (const RowWise* functions = row_wise(activation.kind)) return functions->forward(z);
  element_wise(activation.kind).forward(z.data, z.size(), activation.constants);
}

void activation_backward(const ActivationFunction& activation, ConstMatrix y, ConstMatrix z,
                         Matrix dy) {
  if (activation.kind == Activation::kLinear) return;
  if (activation.kind == Activation::kRelu)
    return kernels().relu_backward(y.data, dy.data, dy.size());
  if (const RowWise* functions = row_wise(activation.kind)) return functions->backward(y, dy);
  const ElementWise& functions = element_wise(activation.kind);
  functions.backward((functions.by_input ? z : y).data, dy.data, dy.size(), activation.constants);
}

}  // namespace lockstep
