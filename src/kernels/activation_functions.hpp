#pragma once

#include "src/core/elementary.hpp"
#include "src/kernels/activation_kind.hpp"

/// The activation functions of one element, and their derivatives by the output y or, where it says
/// so, by the input x. Branch-free: both sides are computed before one is chosen.
namespace lockstep::activation_functions {

constexpr float kSeluScale = 1.05070098735548049342f;
constexpr float kSeluAlpha = 1.67326324235437728482f;
constexpr float kInverseSqrt2 = 0.70710678118654752440f;
constexpr float kInverseSqrt2Pi = 0.39894228040143267794f;

static inline float sigmoid(float x) {
  return elementary::sigmoid(x);
}
static inline float sigmoid_derivative(float y) {
  return y * (1.0f - y);
}

static inline float tanh(float x) {
  return elementary::tanh(x);
}
static inline float tanh_derivative(float y) {
  return 1.0f - y * y;
}

static inline float elu(float x, ActivationConstants c) {
  const float negative = c.alpha * elementary::expm1(x);
  return x > 0 ? x : negative;
}
static inline float elu_derivative(float y, ActivationConstants c) {
  return y > 0 ? 1.0f : y + c.alpha;
}

static inline float selu(float x) {
  const float negative = kSeluAlpha * elementary::expm1(x);
  return kSeluScale * (x > 0 ? x : negative);
}
static inline float selu_derivative(float y) {
  return y > 0 ? kSeluScale : y + kSeluScale * kSeluAlpha;
}

static inline float gelu(float x) {
  return 0.5f * x * (1.0f + elementary::erf(x * kInverseSqrt2));
}
/// By x.
static inline float gelu_derivative(float x) {
  return 0.5f * (1.0f + elementary::erf(x * kInverseSqrt2)) +
         x * kInverseSqrt2Pi * elementary::exp(-0.5f * x * x);
}

static inline float silu(float x) {
  return x * elementary::sigmoid(x);
}
/// By x.
static inline float silu_derivative(float x) {
  const float s = elementary::sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

static inline float softplus(float x) {
  return elementary::softplus(x);
}
/// sigmoid(x) = 1 - exp(-y)
static inline float softplus_derivative(float y) {
  return -elementary::expm1(-y);
}

static inline float leaky_relu(float x, ActivationConstants c) {
  return x > 0 ? x : c.alpha * x;
}
static inline float leaky_relu_derivative(float y, ActivationConstants c) {
  return y > 0 ? 1.0f : c.alpha;
}

static inline float clipped_relu(float x, ActivationConstants c) {
  const float low = c.alpha * (x - c.threshold);
  const float high = x < c.max_value ? x : c.max_value;
  return x > c.threshold ? high : low;
}
/// By x.
static inline float clipped_relu_derivative(float x, ActivationConstants c) {
  const float high = x < c.max_value ? 1.0f : 0.0f;
  return x > c.threshold ? high : c.alpha;
}

/// x, but at least `low` and at most `high`; NaN stays NaN.
static inline float clip(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

static inline float relu6(float x) {
  return clip(x, 0.0f, 6.0f);
}
static inline float relu6_derivative(float y) {
  return (y > 0) & (y < 6) ? 1.0f : 0.0f;
}

static inline float magnitude(float x) {
  return __builtin_fabsf(x);
}

static inline float softsign(float x) {
  return x / (1.0f + magnitude(x));
}
static inline float softsign_derivative(float y) {
  const float rest = 1.0f - magnitude(y);
  return rest * rest;
}

static inline float exponential(float x) {
  return elementary::exp(x);
}
static inline float exponential_derivative(float y) {
  return y;
}

static inline float mish(float x) {
  return x * elementary::tanh(elementary::softplus(x));
}
/// By x.
static inline float mish_derivative(float x) {
  const float t = elementary::tanh(elementary::softplus(x));
  return t + x * (1.0f - t * t) * elementary::sigmoid(x);
}

static inline float hard_sigmoid(float x) {
  return clip(x * (1.0f / 6.0f) + 0.5f, 0.0f, 1.0f);
}
static inline float hard_sigmoid_derivative(float y) {
  return (y > 0) & (y < 1) ? 1.0f / 6.0f : 0.0f;
}

static inline float hard_sigmoid_keras2(float x) {
  return clip(x * 0.2f + 0.5f, 0.0f, 1.0f);
}
static inline float hard_sigmoid_keras2_derivative(float y) {
  return (y > 0) & (y < 1) ? 0.2f : 0.0f;
}

static inline float hard_silu(float x) {
  return x * hard_sigmoid(x);
}
/// By x.
static inline float hard_silu_derivative(float x) {
  const float s = hard_sigmoid(x);
  return s + x * hard_sigmoid_derivative(s);
}

static inline float hard_tanh(float x) {
  return clip(x, -1.0f, 1.0f);
}
static inline float hard_tanh_derivative(float y) {
  return (y > -1) & (y < 1) ? 1.0f : 0.0f;
}

static inline float log_sigmoid(float x) {
  return -elementary::softplus(-x);
}
/// 1 - sigmoid(x) = 1 - exp(y)
static inline float log_sigmoid_derivative(float y) {
  return -elementary::expm1(y);
}

/// With Keras's b = 4.
static inline float squareplus(float x) {
  return 0.5f * (x + __builtin_sqrtf(x * x + 4.0f));
}
/// By x.
static inline float squareplus_derivative(float x) {
  return 0.5f * (1.0f + x / __builtin_sqrtf(x * x + 4.0f));
}

static inline float sparse_plus(float x) {
  const float middle = 0.25f * (x + 1.0f) * (x + 1.0f);
  const float low = x > -1 ? middle : x != x ? x : 0.0f;
  return x < 1 ? low : x;
}
/// By x.
static inline float sparse_plus_derivative(float x) {
  return clip(0.5f * (x + 1.0f), 0.0f, 1.0f);
}

static inline float sparse_sigmoid(float x) {
  return clip(0.5f * (x + 1.0f), 0.0f, 1.0f);
}
static inline float sparse_sigmoid_derivative(float y) {
  return (y > 0) & (y < 1) ? 0.5f : 0.0f;
}

static inline float tanh_shrink(float x) {
  return x - elementary::tanh(x);
}
/// By x.
static inline float tanh_shrink_derivative(float x) {
  const float t = elementary::tanh(x);
  return t * t;
}

constexpr float kShrink = 0.5f;

static inline float soft_shrink(float x) {
  return x - clip(x, -kShrink, kShrink);
}
static inline float soft_shrink_derivative(float y) {
  return y != 0 ? 1.0f : 0.0f;
}

static inline float hard_shrink(float x) {
  return magnitude(x) <= kShrink ? 0.0f : x;
}
static inline float hard_shrink_derivative(float y) {
  return y != 0 ? 1.0f : 0.0f;
}

}  // namespace lockstep::activation_functions
