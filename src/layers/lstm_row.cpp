#include "src/layers/lstm_row.hpp"

#include <algorithm>

#include "src/kernels/kernels.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {

void LstmRow::forward(float* z, float* h, float* c, float* kept) const {
  const std::int64_t u = units_;
  const auto kept_at = [&](std::int64_t gate) {
    return kept == nullptr ? nullptr : kept + gate * u;
  };
  if (bias_ != nullptr) kernels().add_bias(z, bias_, 1, 4 * u);
  activate_gate(recurrent_activation_, z, kept, 2 * u);
  activate_gate(activation_, z + 2 * u, kept_at(2), u);
  activate_gate(recurrent_activation_, z + 3 * u, kept_at(3), u);
  kernels().lstm_cell({.i = z, .f = z + u, .g = z + 2 * u}, c, u);
  std::copy_n(c, u, h);
  activate(activation_, {h, 1, u});
  if (kept != nullptr) {
    std::copy_n(c, u, kept_at(4));
    std::copy_n(h, u, kept_at(5));
  }
  kernels().multiply(h, z + 3 * u, h, u);
}

void LstmRow::backward(const Backward& row) const {
  const std::int64_t u = units_;
  float* const kept = row.kept;
  float* const dz = row.dz;
  const float* const if_gates = recall_gate(recurrent_activation_, kept, row.recalled, 2 * u);
  const float* const g = recall_gate(activation_, kept + 2 * u, row.recalled + 2 * u, u);
  const float* const o = recall_gate(recurrent_activation_, kept + 3 * u, row.recalled + 3 * u, u);
  const float* const c = kept + 4 * u;
  const float* const activated_c = kept + 5 * u;
  float* const through_c = row.spare[0];
  kernels().multiply(row.dh, o, through_c, u);
  gate_backward(activation_, activated_c, c, through_c, u);
  kernels().sum(row.dc, through_c, row.dc, u);
  const float* c_before = row.c_before;
  if (c_before == nullptr) {
    std::fill_n(row.spare[1], u, 0.0f);
    c_before = row.spare[1];
  }
  kernels().lstm_cell_backward({.i = if_gates, .f = if_gates + u, .g = g}, c_before, activated_c,
                               row.dh, row.dc, dz, u);
  gate_backward(recurrent_activation_, if_gates, kept, dz, 2 * u);
  gate_backward(activation_, g, kept + 2 * u, dz + 2 * u, u);
  gate_backward(recurrent_activation_, o, kept + 3 * u, dz + 3 * u, u);
  std::copy_n(dz, 4 * u, kept);
}

}  // namespace lockstep
