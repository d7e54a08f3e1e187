#include "src/layers/dense.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {

Dense::Dense(std::int64_t units, Activation activation) : Dense(units, activation, Options{}) {}

Dense::Dense(std::int64_t units, Activation activation, Options options)
    : units_(units), activation_(activation), options_(std::move(options)) {
  check(units > 0, ExitCode::kBadData, "[dense] expected a positive number of units, got {}",
        units);
}

Shape Dense::build(const Shape& input) {
  check(!input.empty() && input.back() > 0, ExitCode::kBadData,
        "[{}] expected an input with a last axis, got {}", name(), to_string_batched(input));
  inputs_ = input.back();
  positions_ = element_count(input) / inputs_;
  parameters_.push_back({.name = "kernel",
                         .shape = {inputs_, units_},
                         .initializer = options_.kernel_initializer,
                         .regularizer = options_.kernel_regularizer});
  if (options_.use_bias)
    parameters_.push_back({.name = "bias",
                           .shape = {units_},
                           .initializer = options_.bias_initializer,
                           .regularizer = options_.bias_regularizer});
  Shape output = input;
  output.back() = units_;
  return output;
}

std::int64_t Dense::kept_per_row() const {
  return needs_input(activation_) ? positions_ * units_ : 0;
}

void Dense::forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const {
  const Matrix z = y.with_columns(units_);  // (batch * positions, units)
  const ConstMatrix kernel{parameters_[0].value.data(), inputs_, units_};
  multiply(pass.numerics, x.with_columns(inputs_), kernel, z);

  const Activation activation = activation_left_out_ ? Activation::kLinear : activation_;
  const float* bias = options_.use_bias ? parameters_[1].value.data() : nullptr;
  if (bias != nullptr && activation == Activation::kRelu) {
    kernels().add_bias_relu(z.data, bias, z.rows, units_);
    return;
  }
  if (bias != nullptr) kernels().add_bias(z.data, bias, z.rows, units_);
  if (!kept.empty()) std::copy_n(z.data, z.size(), kept.data());
  activate(activation, z);
}

void Dense::backward(const Pass& pass, ConstMatrix /*x*/, ConstMatrix y, Matrix dy, Matrix dx,
                     std::span<const float> kept) const {
  const Matrix dz = dy.with_columns(units_);
  if (!activation_left_out_)
    activation_backward(activation_, y.with_columns(units_), {kept.data(), dz.rows, units_}, dz);
  const ConstMatrix kernel{parameters_[0].value.data(), inputs_, units_};
  if (!dx.empty()) multiply_transposed_b(pass.numerics, dz, kernel, dx.with_columns(inputs_));
}

void Dense::gradient(const Pass& pass, ConstMatrix x, ConstMatrix dy, std::size_t parameter,
                     Range elements, float* out) const {
  const ConstMatrix dz = dy.with_columns(units_);
  const Subtrees subtrees = pass.subtrees.with_positions(positions_);
  if (parameter == 0) {
    multiply_transposed_a(pass.numerics, x.with_columns(inputs_), dz, subtrees, elements, out);
  } else {
    sum_rows(dz, subtrees, elements, out);
  }
}

Range Dense::gradient_columns(std::size_t parameter, Range elements, std::int64_t columns) const {
  if (parameter != 0) return {};
  if (positions_ > 1) return {0, columns};
  return {elements.first / units_, (elements.last + units_ - 1) / units_};
}

nlohmann::ordered_json Dense::config() const {
  return {{"units", units_},
          {"activation", activation_name(activation_)},
          {"use_bias", options_.use_bias},
          {"kernel_initializer", options_.kernel_initializer->to_json()},
          {"bias_initializer", options_.bias_initializer->to_json()},
          {"kernel_regularizer", options_.kernel_regularizer.to_json()},
          {"bias_regularizer", options_.bias_regularizer.to_json()},
          {"activity_regularizer", nullptr},
          {"kernel_constraint", nullptr},
          {"bias_constraint", nullptr}};
}

}  // namespace lockstep
