#pragma once

#include <string>

#include "src/core/keras_major.hpp"
#include "src/core/matrix.hpp"
#include "src/kernels/activation_kind.hpp"

namespace lockstep {

/// The constants that Keras's name of an activation means: elu's alpha is 1, leaky_relu's slope 0.2
/// (the layer LeakyReLU has 0.3).
ActivationConstants default_constants(Activation activation);

/// An activation with its constants.
struct ActivationFunction {
  ActivationFunction(Activation which) : kind(which), constants(default_constants(which)) {}
  ActivationFunction(Activation which, ActivationConstants its) : kind(which), constants(its) {}

  Activation kind;
  ActivationConstants constants;
  bool operator==(const ActivationFunction&) const = default;
};

/// From Keras's name (both "silu" and "swish"). Throws Error (65), naming it, for others.
Activation activation_from_name(const std::string& name, KerasMajor keras = KerasMajor::k3);
/// Keras 2's name: "silu" is written as "swish", which Keras 2 and 3 both read.
std::string activation_name(Activation activation);
/// Whether Keras 2, or else Keras 3, means another function by the activation's name.
bool is_only_of_keras(Activation activation, KerasMajor keras);

/// Whether it is a function of a row, not of each element: softmax and log_softmax.
bool is_row_wise(Activation activation);

/// Whether the derivative needs the value before the activation, not only the one after it.
bool needs_input(Activation activation);

/// z becomes activation(z), in place; rows of the last axis' length if is_row_wise().
void activate(const ActivationFunction& activation, Matrix z);

/// dy becomes dy * activation'(z), in place. y = activation(z); z is read only if needs_input().
void activation_backward(const ActivationFunction& activation, ConstMatrix y, ConstMatrix z,
                         Matrix dy);

}  // namespace lockstep
