#pragma once

#include <cstddef>
#include <limits>

namespace lockstep {

/// Keras's activation functions. To add one: a row here, its formulas in
/// activation_functions.hpp, a row in kernels.inc, a name in activation.cpp.
enum class Activation {
  kLinear,
  kRelu,
  kSigmoid,
  kTanh,
  kSoftmax,  ///< over the last axis
  kElu,      ///< by alpha
  kSelu,
  kGelu,  ///< exact: x/2 (1 + erf(x / sqrt 2))
  kSilu,
  kSoftplus,
  kLeakyRelu,    ///< slope alpha
  kClippedRelu,  ///< the layer ReLU: slope alpha below threshold, at most max_value
  kRelu6,
  kSoftsign,
  kExponential,
  kMish,
  kHardSigmoid,        ///< Keras 3's: x/6 + 1/2, cut off at 0 and 1
  kHardSigmoidKeras2,  ///< Keras 1's and 2's: x/5 + 1/2, cut off at 0 and 1
  kHardSilu,
  kHardTanh,
  kLogSigmoid,
  kLogSoftmax,  ///< over the last axis
  kSquareplus,
  kSparsePlus,
  kSparseSigmoid,
  kTanhShrink,
  kSoftShrink,
  kHardShrink,
  kCount
};
inline constexpr auto kActivations = static_cast<std::size_t>(Activation::kCount);

/// What the formulas of elu, leaky_relu and the layer ReLU leave open.
struct ActivationConstants {
  float alpha = 0;
  float max_value = std::numeric_limits<float>::infinity();
  float threshold = 0;
  bool operator==(const ActivationConstants&) const = default;
};

}  // namespace lockstep
