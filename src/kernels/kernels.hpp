#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

/// Adam's scalars of one step: alpha = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t).
struct AdamScalars {
  float alpha;
  float one_minus_beta_1;
  float one_minus_beta_2;
  float epsilon;
};

struct SgdScalars {
  float rate;
  float momentum;
  bool nesterov;
};

/// The element-wise inner loops, compiled for several instruction sets from one source
/// (kernels.inc). Each output element is the same chain of IEEE operations in every variant, so all
/// variants give the same bits. Arrays do not overlap unless it is said.
struct Kernels {
  const char* name;  ///< "avx512", "avx2" or "portable"

  // --- Updates (keras-semantics 4.3): w, m, v, velocity in place; n elements ---
  void (*adam)(float* w, const float* g, float* m, float* v, std::int64_t n, AdamScalars scalars);
  void (*adam_amsgrad)(float* w, const float* g, float* m, float* v, float* v_max, std::int64_t n,
                       AdamScalars scalars);
  void (*sgd)(float* w, const float* g, std::int64_t n, float rate);
  void (*sgd_momentum)(float* w, const float* g, float* velocity, std::int64_t n,
                       SgdScalars scalars);

  // --- Forward and backward ---
  /// y = float(x)
  void (*bytes_to_floats)(const std::uint8_t* x, float* y, std::int64_t n);
  /// y = x * scale + offset; x and y may be the same array
  void (*scale_shift)(const float* x, float* y, std::int64_t n, float scale, float offset);
  /// z.row(i) += bias;  z: (rows, columns), bias: (columns)
  void (*add_bias)(float* z, const float* bias, std::int64_t rows, std::int64_t columns);
  /// z.row(i) = max(z.row(i) + bias, 0)
  void (*add_bias_relu)(float* z, const float* bias, std::int64_t rows, std::int64_t columns);
  /// z = max(z, 0)
  void (*relu)(float* z, std::int64_t n);
  /// dy = y > 0 ? dy : 0
  void (*relu_backward)(const float* y, float* dy, std::int64_t n);
  /// y = a * b element by element; y may be a
  void (*multiply)(const float* a, const float* b, float* y, std::int64_t n);
  /// sums = sum of x.row(i) in ascending i;  x: (rows, columns), sums: (columns)
  void (*column_sums)(const float* x, float* sums, std::int64_t rows, std::int64_t columns);
  /// y += x
  void (*add)(const float* x, float* y, std::int64_t n);
  /// y = a + b; y may be a or b
  void (*sum)(const float* a, const float* b, float* y, std::int64_t n);
};

/// The best variant for this CPU, or the one that the environment variable LOCKSTEP_KERNELS names
/// (tests force each of them). Throws Error (64) if that one is unknown or the CPU lacks it.
const Kernels& kernels();

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const Kernels* find_kernels(std::string_view name);

}  // namespace lockstep
