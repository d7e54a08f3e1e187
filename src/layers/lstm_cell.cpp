#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {
namespace {

/// i, f, o = r(z_i), r(z_f), r(z_o);  g = a(z_g);  c = f c + i g;  h = o a(c): Keras's columns are
/// i, f, g, o.  Record: h before | i f g o, then dz | c | a(c).
class LstmCell final : public RecurrentCell {
 public:
  using RecurrentCell::RecurrentCell;

  std::int64_t sum_columns() const override { return 4 * units(); }
  std::int64_t record_columns() const override { return 7 * units(); }
  GradientParts parts(std::size_t parameter) const override {
    return {{{0, 4 * units(), units(), parameter == kKernel ? GradientPart::kInput : 0}}};
  }

  void forward(const RecurrentStep& step) const override {
    multiply(step.numerics, step.x, kernel(), step.sums);
    multiply(step.numerics, step.h, recurrent_kernel(), step.sums, Chains::kGoOn);
    for_rows(step.sums.rows, 4 * units(), [&](std::int64_t row) {
      forward_row(step.sums.row(row), step.state.row(row), step.cell.row(row),
                  step.records.empty() ? nullptr : step.records.row(row));
    });
  }

  void carry(const RecurrentStep& step, std::int64_t row) const override {
    std::copy_n(step.cell.row(row), units(), step.records.row(row) + 5 * units());
  }

  void backward(const RecurrentStep& step) const override {
    for_rows(step.sums.rows, 4 * units(), [&](std::int64_t row) { backward_row(step, row); });
    if (step.records_before.empty()) return;
    multiply(step.numerics, step.sums, step.transposed, step.dh);
    if (!step.factors.empty())
      kernels().multiply(step.dh.data, step.factors.data, step.dh.data, step.dh.size());
  }

 private:
  void forward_row(float* z, float* h, float* c, float* record) const {
    const std::int64_t u = units();
    float* const kept = record == nullptr ? nullptr : record + u;
    const auto kept_at = [&](std::int64_t gate) {
      return kept == nullptr ? nullptr : kept + gate * u;
    };
    if (bias() != nullptr) kernels().add_bias(z, bias(), 1, 4 * u);
    activate_gate(recurrent_activation(), z, kept, 2 * u);
    activate_gate(activation(), z + 2 * u, kept_at(2), u);
    activate_gate(recurrent_activation(), z + 3 * u, kept_at(3), u);
    kernels().lstm_cell({.i = z, .f = z + u, .g = z + 2 * u}, c, u);
    std::copy_n(c, u, h);
    activate(activation(), {h, 1, u});
    if (kept != nullptr) {
      std::copy_n(c, u, kept_at(4));
      std::copy_n(h, u, kept_at(5));
    }
    kernels().multiply(h, z + 3 * u, h, u);
  }

  void backward_row(const RecurrentStep& step, std::int64_t row) const {
    const std::int64_t u = units();
    float* const kept = step.records.row(row) + u;
    float* const dz = step.sums.row(row);
    float* const dc = step.cell.row(row);
    const float* const dh = step.dh.row(row);
    float* const recalled = step.recalled.row(row);
    const float* const if_gates = recall_gate(recurrent_activation(), kept, recalled, 2 * u);
    const float* const g = recall_gate(activation(), kept + 2 * u, recalled + 2 * u, u);
    const float* const o = recall_gate(recurrent_activation(), kept + 3 * u, recalled + 3 * u, u);
    const float* const c = kept + 4 * u;
    const float* const activated_c = kept + 5 * u;
    float* const through_c = step.spare[0].row(row);
    kernels().multiply(dh, o, through_c, u);
    gate_backward(activation(), activated_c, c, through_c, u);
    kernels().sum(dc, through_c, dc, u);
    const float* c_before = step.spare[1].row(row);
    if (step.records_before.empty())
      std::fill_n(step.spare[1].row(row), u, 0.0f);
    else
      c_before = step.records_before.row(row) + 5 * u;
    kernels().lstm_cell_backward({.i = if_gates, .f = if_gates + u, .g = g}, c_before, activated_c,
                                 dh, dc, dz, u);
    gate_backward(recurrent_activation(), if_gates, kept, dz, 2 * u);
    gate_backward(activation(), g, kept + 2 * u, dz + 2 * u, u);
    gate_backward(recurrent_activation(), o, kept + 3 * u, dz + 3 * u, u);
    std::copy_n(dz, 4 * u, kept);
  }
};

}  // namespace

std::unique_ptr<RecurrentCell> make_lstm_cell(std::vector<Parameter*> parameters,
                                              const ActivationFunction& activation,
                                              const ActivationFunction& recurrent_activation) {
  return std::make_unique<LstmCell>(std::move(parameters), activation, recurrent_activation);
}

}  // namespace lockstep
