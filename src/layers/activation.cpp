#include "src/layers/activation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

using elementary::erf;
using elementary::exp;
using elementary::expm1;
using elementary::log1p;
using elementary::tanh;

constexpr float kSeluScale = 1.05070098735548049342f;
constexpr float kSeluAlpha = 1.67326324235437728482f;
constexpr float kLeakySlope = 0.2f;
constexpr float kInverseSqrt2 = 0.70710678118654752440f;
constexpr float kInverseSqrt2Pi = 0.39894228040143267794f;

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

/// Without overflow on either side.
float sigmoid(float x) {
  if (x >= 0) return 1.0f / (1.0f + exp(-x));
  const float e = exp(x);
  return e / (1.0f + e);
}

void softmax_row(float* z, std::int64_t n) {
  const float top = *std::max_element(z, z + n);
  float sum = 0;
  for (std::int64_t j = 0; j < n; ++j) sum += z[j] = exp(z[j] - top);
  for (std::int64_t j = 0; j < n; ++j) z[j] /= sum;
}

/// dz_j = y_j (dy_j - sum_k dy_k y_k)
void softmax_row_backward(const float* y, float* dy, std::int64_t n) {
  float dot = 0;
  for (std::int64_t j = 0; j < n; ++j) dot += dy[j] * y[j];
  for (std::int64_t j = 0; j < n; ++j) dy[j] = y[j] * (dy[j] - dot);
}

template <class Function>
void map(Matrix z, Function function) {
  for (float& x : z.flat()) x = function(x);
}

/// dy_i *= derivative(s_i), where s is y or z.
template <class Function>
void scale_by(Matrix dy, ConstMatrix s, Function derivative) {
  const std::int64_t n = dy.size();
  for (std::int64_t i = 0; i < n; ++i) dy.data[i] *= derivative(s.data[i]);
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
  switch (activation) {
    case Activation::kLinear:
      return;
    case Activation::kRelu:
      return kernels().relu(z.data, z.size());
    case Activation::kSigmoid:
      return map(z, sigmoid);
    case Activation::kTanh:
      return map(z, [](float x) { return tanh(x); });
    case Activation::kSoftmax:
      for (std::int64_t i = 0; i < z.rows; ++i) softmax_row(z.row(i), z.columns);
      return;
    case Activation::kElu:
      return map(z, [](float x) { return x > 0 ? x : expm1(x); });
    case Activation::kSelu:
      return map(z, [](float x) { return kSeluScale * (x > 0 ? x : kSeluAlpha * expm1(x)); });
    case Activation::kGelu:
      return map(z, [](float x) { return 0.5f * x * (1.0f + erf(x * kInverseSqrt2)); });
    case Activation::kSilu:
      return map(z, [](float x) { return x * sigmoid(x); });
    case Activation::kSoftplus:
      return map(z, [](float x) { return std::max(x, 0.0f) + log1p(exp(-std::abs(x))); });
    case Activation::kLeakyRelu:
      return map(z, [](float x) { return x > 0 ? x : kLeakySlope * x; });
  }
}

void activation_backward(Activation activation, ConstMatrix y, ConstMatrix z, Matrix dy) {
  switch (activation) {
    case Activation::kLinear:
      return;
    case Activation::kRelu:
      return kernels().relu_backward(y.data, dy.data, dy.size());
    case Activation::kSigmoid:
      return scale_by(dy, y, [](float s) { return s * (1.0f - s); });
    case Activation::kTanh:
      return scale_by(dy, y, [](float t) { return 1.0f - t * t; });
    case Activation::kSoftmax:
      for (std::int64_t i = 0; i < dy.rows; ++i)
        softmax_row_backward(y.row(i), dy.row(i), dy.columns);
      return;
    case Activation::kElu:
      return scale_by(dy, y, [](float e) { return e > 0 ? 1.0f : e + 1.0f; });
    case Activation::kSelu:
      return scale_by(dy, y,
                      [](float s) { return s > 0 ? kSeluScale : s + kSeluScale * kSeluAlpha; });
    case Activation::kGelu:
      return scale_by(dy, z, [](float x) {
        return 0.5f * (1.0f + erf(x * kInverseSqrt2)) + x * kInverseSqrt2Pi * exp(-0.5f * x * x);
      });
    case Activation::kSilu:
      return scale_by(dy, z, [](float x) {
        const float s = sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
      });
    case Activation::kSoftplus:  // sigmoid(z) = 1 - exp(-y)
      return scale_by(dy, y, [](float s) { return -expm1(-s); });
    case Activation::kLeakyRelu:
      return scale_by(dy, y, [](float s) { return s > 0 ? 1.0f : kLeakySlope; });
  }
}

}  // namespace lockstep
