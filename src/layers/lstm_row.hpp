#pragma once

#include <array>
#include <cstdint>

#include "src/activations/activation.hpp"

namespace lockstep {

/// An LSTM's step of one row of u units, behind its sums: i, f, o = r(z_i), r(z_f), r(z_o);  g =
/// a(z_g);  c = f c + i g;  h = o a(c).  z: i | f | g | o.  Kept: i f g o, then dz | c | a(c).
class LstmRow {
 public:
  /// `bias`: of the sums, null if there is none.
  LstmRow(const ActivationFunction& activation, const ActivationFunction& recurrent_activation,
          const float* bias, std::int64_t units)
      : activation_(activation),
        recurrent_activation_(recurrent_activation),
        bias_(bias),
        units_(units) {}

  std::int64_t kept_columns() const { return 6 * units_; }
  /// Where c stands in what is kept.
  std::int64_t cell_column() const { return 4 * units_; }

  /// h and c become those after the step. `kept`: null if nothing is.
  void forward(float* z, float* h, float* c, float* kept) const;
  struct Backward {
    float* kept;
    const float* c_before;  ///< null: zeros
    const float* dh;
    float* dc;                    ///< by c; then by c before
    float* dz;                    ///< 4 u
    float* recalled;              ///< 4 u
    std::array<float*, 2> spare;  ///< u each
  };
  void backward(const Backward& row) const;

 private:
  ActivationFunction activation_, recurrent_activation_;
  const float* bias_;
  std::int64_t units_;
};

}  // namespace lockstep
