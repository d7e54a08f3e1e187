#pragma once

#include "src/core/elementary.hpp"

/// The activation functions of one element, and their derivatives by the output y or, where it says
/// so, by the input x. Branch-free: both sides are computed before one is chosen.
namespace lockstep::activation_functions {

constexpr float kSeluScale = 1.05070098735548049342f;
constexpr float kSeluAlpha = 1.67326324235437728482f;
constexpr float kLeakySlope = 0.2f;
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

static inline float elu(float x) {
  const float negative = elementary::expm1(x);
  return x > 0 ? x : negative;
}
static inline float elu_derivative(float y) {
  return y > 0 ? 1.0f : y + 1.0f;
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

static inline float leaky_relu(float x) {
  return x > 0 ? x : kLeakySlope * x;
}
static inline float leaky_relu_derivative(float y) {
  return y > 0 ? 1.0f : kLeakySlope;
}

}  // namespace lockstep::activation_functions
