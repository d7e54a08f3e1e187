#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "src/kernels/activation_kind.hpp"

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

struct RmspropScalars {
  float rate;
  float rho;
  float one_minus_rho;
  float momentum;
  float epsilon;
};

struct AdadeltaScalars {
  float rate;
  float rho;
  float one_minus_rho;
  float epsilon;
};

/// alpha = rate / (1 - beta_1^t)
struct AdamaxScalars {
  float alpha;
  float one_minus_beta_1;
  float beta_2;
  float epsilon;
};

/// What m and g count in the step, both with the rate; v_scale = 1 / (1 - beta_2^t).
struct NadamScalars {
  float m_share;
  float g_share;
  float v_scale;
  float one_minus_beta_1;
  float one_minus_beta_2;
  float epsilon;
};

struct LionScalars {
  float rate;
  float beta_1;
  float one_minus_beta_1;
  float beta_2;
  float one_minus_beta_2;
};

/// power: of the accumulator, Keras's -learning_rate_power; twice_l2: with Keras's beta / rate.
struct FtrlScalars {
  float rate;
  float power;
  float l1;
  float twice_l2;
  float twice_shrinkage;
};

/// An activation function: forward turns x into y in place; backward turns dy into
/// dy * derivative(s), where s is x if `by_input`, else y.
struct ElementWise {
  void (*forward)(float* x, std::int64_t n, ActivationConstants constants) = nullptr;
  void (*backward)(const float* s, float* dy, std::int64_t n,
                   ActivationConstants constants) = nullptr;
  bool by_input = false;
};

/// Sums of |w| and of w^2.
struct WeightSums {
  double absolute;
  double squares;
};

/// The sums of a row's elements and of their squares.
struct RowSums {
  double sum;
  double squares;
};

/// 0 for a key or a query that is masked, null if none is; and the weight of every key for a query
/// that is masked or has no key left.
struct AttentionMask {
  const float* keys = nullptr;
  const float* queries = nullptr;
  float otherwise = 0;
};

/// How a row is normalized: xhat = ((x - mean) - rest) * inverse. mean + rest is a mean in double,
/// so that one far from zero costs xhat no digits.
struct Moments {
  float mean = 0;
  float rest = 0;
  float inverse = 1;
};

/// The same for each of some columns, and what xhat is multiplied with then.
struct ColumnMoments {
  const float* mean;
  const float* rest;
  const float* inverse;
  const float* scale;
};

/// Some columns of rows that lie `stride` elements apart.
struct Columns {
  std::int64_t rows;
  std::int64_t count;
  std::int64_t stride;
};

/// The gates of an LSTM's step that make its cell, after their activations.
struct LstmGates {
  const float* i;
  const float* f;
  const float* g;  ///< Keras's c: the candidate
};

/// A position that another one is mixed of, and its share.
struct PositionTerm {
  std::int64_t position;
  float weight;
};

/// Windows of a pooling that share their cells along depth and height: a line of the output. The
/// cells of a window are counted in row-major order.
struct PoolLine {
  std::int64_t channels;
  std::int64_t outputs;       ///< windows
  const std::int64_t* first;  ///< cell along the width, of each window: from the line's start
  const std::int64_t* last;   ///< the one behind its last
  std::int64_t depth = 1, height = 1;                ///< cells along these axes
  std::int64_t depth_stride = 0, height_stride = 0;  ///< floats
  bool adds = false;                                 ///< backward adds to dx, since windows overlap
};

/// The element-wise inner loops, compiled for several instruction sets from one source
/// (kernels.inc). Each output element is the same chain of IEEE operations in every variant, so all
/// variants give the same bits. Sums along a row, or of weights, are defined by 16 lanes: element j
/// is added to lane j % 16 in ascending j, then lane k + 8 is added to lane k < 8, k + 4 to k < 4,
/// k + 2 to k < 2, and 1 to 0. Arrays do not overlap unless it is said.
struct Kernels {
  const char* name;  ///< "avx512", "avx2" or "portable"

  // --- Updates as in Keras: all but g in place; n elements ---
  void (*adam)(float* w, const float* g, float* m, float* v, std::int64_t n, AdamScalars scalars);
  void (*adam_amsgrad)(float* w, const float* g, float* m, float* v, float* v_max, std::int64_t n,
                       AdamScalars scalars);
  void (*sgd)(float* w, const float* g, std::int64_t n, float rate);
  void (*sgd_momentum)(float* w, const float* g, float* velocity, std::int64_t n,
                       SgdScalars scalars);

  /// Without momentum or centering the velocity or the average is null.
  void (*rmsprop)(float* w, const float* g, float* v, float* velocity, float* average,
                  std::int64_t n, RmspropScalars scalars);
  void (*adagrad)(float* w, const float* g, float* sums, std::int64_t n, float rate, float epsilon);
  void (*adadelta)(float* w, const float* g, float* g_squares, float* w_squares, std::int64_t n,
                   AdadeltaScalars scalars);
  void (*adamax)(float* w, const float* g, float* m, float* u, std::int64_t n,
                 AdamaxScalars scalars);
  void (*nadam)(float* w, const float* g, float* m, float* v, std::int64_t n, NadamScalars scalars);
  void (*lion)(float* w, const float* g, float* m, std::int64_t n, LionScalars scalars);
  void (*ftrl)(float* w, const float* g, float* sums, float* linear, std::int64_t n,
               FtrlScalars scalars);

  // --- What any update may have before and after it (Optimizer) ---
  /// y = (a + b) / divisor; y may be a or b
  void (*sum_divided)(const float* a, const float* b, float* y, std::int64_t n, float divisor);
  /// y = x scale; y may be x
  void (*scaled)(const float* x, float* y, std::int64_t n, float scale);
  /// y = x, but no further from 0 than the limit; NaN remains NaN; y may be x
  void (*clipped)(const float* x, float* y, std::int64_t n, float limit);
  /// w -= w decay rate
  void (*decay_weights)(float* w, std::int64_t n, float decay, float rate);
  /// average = share average + (1 - share) w
  void (*average_weights)(const float* w, float* average, std::int64_t n, float share);

  // --- Adam and SGD for steps in which every g is +0: one after the other, but out of registers.
  // --- What alphas and rates they had is given; those of the scalars are not read ---
  void (*adam_idle)(float* w, float* m, float* v, std::int64_t n, AdamScalars scalars,
                    const float* alphas, std::int64_t steps);
  void (*adam_amsgrad_idle)(float* w, float* m, float* v, float* v_max, std::int64_t n,
                            AdamScalars scalars, const float* alphas, std::int64_t steps);
  void (*sgd_momentum_idle)(float* w, float* velocity, std::int64_t n, SgdScalars scalars,
                            const float* rates, std::int64_t steps);
  /// What they do to m and v, or to the velocity, alone. Rates: not negative, finite.
  void (*adam_decay)(float* m, float* v, std::int64_t n, AdamScalars scalars, std::int64_t steps);
  void (*sgd_decay)(float* velocity, std::int64_t n, float momentum, std::int64_t steps);
  /// Whether they surely leave w as it is (Optimizer::settled()), with scalars.alpha for the
  /// largest alpha and v_left for what is left at least of every v in the end.
  bool (*adam_settled)(const float* w, const float* m, const float* v, std::int64_t n,
                       AdamScalars scalars, float v_left);
  bool (*sgd_settled)(const float* w, const float* velocity, std::int64_t n);

  // --- Forward and backward ---
  /// y = float(x) * scale + offset
  void (*scaled_bytes)(const std::uint8_t* x, float* y, std::int64_t n, float scale, float offset);
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
  /// y = a + b; y may be a or b
  void (*sum)(const float* a, const float* b, float* y, std::int64_t n);
  /// y = a - b; y may be a or b
  void (*difference)(const float* a, const float* b, float* y, std::int64_t n);
  /// y = max(a, b); NaN if one of them is; y may be a or b
  void (*maximum)(const float* a, const float* b, float* y, std::int64_t n);
  void (*minimum)(const float* a, const float* b, float* y, std::int64_t n);
  /// dx = a >= b ? dy : 0; dx may be dy
  void (*where_at_least)(const float* a, const float* b, const float* dy, float* dx,
                         std::int64_t n);
  /// dx = a >= b ? 0 : dy; dx may be dy
  void (*where_not_at_least)(const float* a, const float* b, const float* dy, float* dx,
                             std::int64_t n);
  /// y = x > 0 ? x : alpha x.  alpha: n elements, or one if alpha_step is 0; y may be x
  void (*prelu)(const float* x, const float* alpha, std::int64_t alpha_step, float* y,
                std::int64_t n);
  /// dx = dy where x > 0, alpha dy where x < 0, else 0; dx may be dy
  void (*prelu_backward)(const float* x, const float* alpha, std::int64_t alpha_step,
                         const float* dy, float* dx, std::int64_t n);
  /// p = x < 0 ? x dy : 0: what alpha's gradient sums
  void (*prelu_products)(const float* x, const float* dy, float* p, std::int64_t n);
  /// y[i] = mean + stddev * a standard normal number of two random words (RandomStream::normal)
  void (*normals)(const std::uint32_t* words, float* y, std::int64_t n, double mean, double stddev);

  /// By Activation: those that are one function of each element (activation_functions.hpp) and
  /// have no kernel of their own here; null pointers for the others.
  std::array<ElementWise, kActivations> activations;

  // --- Softmax and losses; (rows, columns), columns >= 1 ---
  /// p = exp(z - max z) / sum of them, by rows. p may be z, or null for the sums alone.
  /// log_sums[i] = log(sum exp z.row(i)), unless it is null.
  void (*softmax)(const float* z, float* p, double* log_sums, std::int64_t rows,
                  std::int64_t columns);
  /// dy = y (dy - sum of dy y), by rows; y = softmax(z)
  void (*softmax_backward)(const float* y, float* dy, std::int64_t rows, std::int64_t columns);
  /// y = z - log(sum exp z), by rows, in place
  void (*log_softmax)(float* z, std::int64_t rows, std::int64_t columns);
  /// dy = dy - exp(y) (sum of dy), by rows; y = log_softmax(z)
  void (*log_softmax_backward)(const float* y, float* dy, std::int64_t rows, std::int64_t columns);
  /// p and losses[i] = log_sums[i] - z.row(i)[classes[i]] as by softmax, and the gradient
  /// g = scale (p - onehot(classes[i])) unless g is null. p may be z, g or null (then so must g
  /// be). Classes are in [0, columns).
  void (*sparse_crossentropy)(const float* z, const std::int32_t* classes, float* p, float* g,
                              double* losses, std::int64_t rows, std::int64_t columns, float scale);

  // --- Attention; (keys, queries), keys >= 1: sums and maxima over the keys ascending ---
  /// p = exp(s - max s) / sum of them, for each query, in place; if `causal`, over keys 0 to the
  /// query's number alone, and 0 for the others, which are not read
  void (*attention_softmax)(float* s, std::int64_t keys, std::int64_t queries, bool causal);
  /// the same over the keys that are not masked; the others' weights are 0
  void (*attention_softmax_masked)(float* s, std::int64_t keys, std::int64_t queries, bool causal,
                                   const AttentionMask& mask);
  /// dp = p (dp - sum of dp p), for each query
  void (*attention_softmax_backward)(const float* p, float* dp, std::int64_t keys,
                                     std::int64_t queries);

  // --- Normalization; xhat as by Moments ---
  /// In 16 lanes of doubles.
  RowSums (*row_sums)(const float* x, std::int64_t n);
  /// y = fma(xhat, scale, offset)
  void (*normalize_row)(const float* x, float* y, std::int64_t n, Moments moments,
                        const float* scale, const float* offset);
  /// dx = fma(-xhat, b, g - a) * inverse, g = dy * scale, a = a_share * (sum of g),
  /// b = b_share * (sum of g xhat); the sums in 16 lanes of doubles
  void (*normalize_row_backward)(const float* x, const float* dy, float* dx, std::int64_t n,
                                 Moments moments, const float* scale, double a_share,
                                 double b_share);
  /// sums = fma(dy, xhat, sums)
  void (*add_row_products)(const float* x, const float* dy, float* sums, std::int64_t n,
                           Moments moments);
  /// sums += x, squares += x x, row by row
  void (*add_columns)(const float* x, double* sums, double* squares, Columns columns);
  /// y = fma(xhat, scale, offset); y may be x
  void (*normalize_columns)(const float* x, float* y, Columns columns, ColumnMoments moments,
                            const float* offset);
  /// sums += dy, products += dy xhat, row by row
  void (*add_columns_backward)(const float* x, const float* dy, double* sums, double* products,
                               Columns columns, ColumnMoments moments);
  /// dx = fma(-xhat, b, fma(dy, scale, -a)) * inverse; dx may be dy
  void (*normalize_columns_backward)(const float* x, const float* dy, float* dx, Columns columns,
                                     ColumnMoments moments, const float* a, const float* b);
  /// sums = fma(dy, xhat, sums), row by row
  void (*add_column_products)(const float* x, const float* dy, float* sums, Columns columns,
                              ColumnMoments moments);

  // --- Recurrent cells; one row of n units ---
  /// y = fma(a, b, y)
  void (*multiply_add)(const float* a, const float* b, float* y, std::int64_t n);
  /// c = fma(f, c, i g): LSTM's cell, in place
  void (*lstm_cell)(LstmGates gates, float* c, std::int64_t n);
  /// dz = dc g, dc c_before, dc i, dh tanh_c, one behind the other: by the gates i, f, g, o. Then
  /// dc = dc f
  void (*lstm_cell_backward)(LstmGates gates, const float* c_before, const float* tanh_c,
                             const float* dh, float* dc, float* dz, std::int64_t n);
  /// h = fma(z, h, (1 - z) candidate): GRU's state, in place
  void (*gru_state)(const float* z, const float* candidate, float* h, std::int64_t n);
  /// dz = dh (h_before - candidate); dcandidate = dh (1 - z); then dh = dh z
  void (*gru_state_backward)(const float* z, const float* candidate, const float* h_before,
                             float* dh, float* dz, float* dcandidate, std::int64_t n);

  // --- Positions: (position, channel) of one sample ---
  /// y[p] = the chain of y = fma(x[position], weight, y), from +0, over the terms of p: those
  /// behind ends[p - 1] and before ends[p]
  void (*mix_positions)(const float* x, const PositionTerm* terms, const std::int64_t* ends,
                        std::int64_t positions, std::int64_t channels, float* y);

  /// y = each window's largest element, a NaN if there is one, and winners = the first such cell,
  /// unless it is null. x: the line's first cell; y, winners: (outputs, channels)
  void (*max_pool)(const float* x, float* y, std::uint8_t* winners, const PoolLine& line);
  /// The same for windows of more cells than 256.
  void (*max_pool_wide)(const float* x, float* y, float* winners, const PoolLine& line);
  /// dx = dy at the winner, 0 at the window's other cells
  void (*max_pool_backward)(const float* dy, const std::uint8_t* winners, float* dx,
                            const PoolLine& line);
  void (*max_pool_wide_backward)(const float* dy, const float* winners, float* dx,
                                 const PoolLine& line);
  /// y = sum / cells: a sum in double, by cells, and one division, then rounded to float
  void (*average_pool)(const float* x, float* y, const PoolLine& line);
  /// dx = dy / cells, in float
  void (*average_pool_backward)(const float* dy, float* dx, const PoolLine& line);

  // --- Regularizers ---
  WeightSums (*weight_sums)(const float* w, std::int64_t n);
  /// g += l1 sign(w) + 2 l2 w; sign(0) = 0
  void (*add_penalty_gradient)(const float* w, float* g, std::int64_t n, float l1, float l2);
};

/// The best variant for this CPU, or the one that the environment variable LOCKSTEP_KERNELS names
/// (tests force each of them). Throws Error (64) if that one is unknown or the CPU lacks it.
const Kernels& kernels();

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const Kernels* find_kernels(std::string_view name);

}  // namespace lockstep
