#pragma once

#include <string>

#include "src/core/matrix.hpp"

namespace lockstep {

/// Keras's activation functions with their default constants (keras.activations).
enum class Activation {
  kLinear,
  kRelu,
  kSigmoid,
  kTanh,
  kSoftmax,  ///< over the last axis
  kElu,      ///< alpha 1
  kSelu,
  kGelu,  ///< exact: x/2 (1 + erf(x / sqrt 2))
  kSilu,
  kSoftplus,
  kLeakyRelu,  ///< slope 0.2, as Keras's function (the layer LeakyReLU has 0.3)
};

/// From Keras's name (both "silu" and "swish"). Throws Error (65), naming it, for others.
Activation activation_from_name(const std::string& name);
/// Keras 2's name: "silu" is written as "swish", which Keras 2 and 3 both read.
std::string activation_name(Activation activation);

/// Whether the derivative needs the value before the activation, not only the one after it.
bool needs_input(Activation activation);

/// z becomes activation(z), in place; rows of the last axis' length for softmax.
void activate(Activation activation, Matrix z);

/// dy becomes dy * activation'(z), in place. y = activation(z); z is read only if needs_input().
void activation_backward(Activation activation, ConstMatrix y, ConstMatrix z, Matrix dy);

}  // namespace lockstep
