#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {
namespace {

/// h = z h + (1 - z) hhat, z and r activated by `recurrent_activation`, hhat by `activation`:
/// Keras's columns are z, r, hhat. What the two forms have in common; a record begins with h before
/// and ends, if there are factors, with the state that they were multiplied with.
class GruCell : public RecurrentCell {
 public:
  GruCell(std::vector<Parameter*> parameters, const ActivationFunction& activation,
          const ActivationFunction& recurrent_activation, bool has_factors)
      : RecurrentCell(std::move(parameters), activation, recurrent_activation),
        has_factors_(has_factors) {}

  std::int64_t record_columns() const final { return (has_factors_ ? 6 : 5) * units(); }

 protected:
  /// hhat = a(candidate), then the new state. `gates`: z, r. `kept`: of hhat, or null.
  void finish_row(const RecurrentStep& step, std::int64_t row, const float* gates, float* candidate,
                  float* kept) const {
    const std::int64_t u = units();
    float* const h = step.state.row(row);
    activate_gate(activation(), candidate, kept, u);
    if (has_factors_ && kept != nullptr) std::copy_n(h, u, step.records.row(row) + 5 * u);
    kernels().gru_state(gates, candidate, h, u);
  }

  /// dz of z before its activation's derivative, dz of hhat behind it; dh = dh z.
  void begin_backward_row(const RecurrentStep& step, std::int64_t row, const float* z,
                          const float* kept_candidate, float* dz, float* dcandidate) const {
    const std::int64_t u = units();
    const float* const record = step.records.row(row);
    const float* const candidate =
        recall_gate(activation(), kept_candidate, step.recalled.row(row) + 2 * u, u);
    kernels().gru_state_backward(z, candidate, has_factors_ ? record + 5 * u : record,
                                 step.dh.row(row), dz, dcandidate, u);
    gate_backward(activation(), candidate, kept_candidate, dcandidate, u);
  }

  /// dh += what came through the recurrent kernel.
  void finish_backward(const RecurrentStep& step, Matrix through) const {
    if (!step.factors.empty())
      kernels().multiply(through.data, step.factors.data, through.data, through.size());
    kernels().sum(step.dh.data, through.data, step.dh.data, through.size());
  }

 private:
  bool has_factors_;
};

/// reset_after=True: hhat = a((x W + b) + r (h U + b')), with a bias of two rows.
/// Record: h before | z r hhat, then their dz | s = h U + b', then its gradient.
class GruResetAfterCell final : public GruCell {
 public:
  using GruCell::GruCell;

  std::int64_t sum_columns() const override { return 4 * units(); }
  GradientParts parts(std::size_t parameter) const override {
    const std::int64_t u = units();
    if (parameter == kKernel) return {{{0, 3 * u, u, GradientPart::kInput}}};
    if (parameter == kRecurrentKernel) return {{{0, 2 * u, u, 0}, {2 * u, u, 4 * u, 0}}};
    return {{{0, 3 * u, u, 0}, {3 * u, 2 * u, u, 0}, {5 * u, u, 4 * u, 0}}};
  }

  void forward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    const StridedMatrix sums = step.sums;
    multiply(step.numerics, step.x, kernel(), sums.columns_from(0, 3 * u));
    multiply(step.numerics, step.h, recurrent_columns(0, 2 * u), sums.columns_from(0, 2 * u),
             Chains::kGoOn);
    multiply(step.numerics, step.h, recurrent_columns(2 * u, u), sums.columns_from(3 * u, u));
    for_rows(sums.rows, 4 * u, [&](std::int64_t row) {
      float* const z = step.sums.row(row);
      float* const kept = step.records.empty() ? nullptr : step.records.row(row) + u;
      if (bias() != nullptr) {
        kernels().add_bias(z, bias(), 1, 3 * u);
        kernels().add_bias(z, bias() + 3 * u, 1, 2 * u);
        kernels().add_bias(z + 3 * u, bias() + 5 * u, 1, u);
      }
      activate_gate(recurrent_activation(), z, kept, 2 * u);
      if (kept != nullptr) std::copy_n(z + 3 * u, u, kept + 3 * u);
      kernels().multiply_add(z + u, z + 3 * u, z + 2 * u, u);
      finish_row(step, row, z, z + 2 * u, kept == nullptr ? nullptr : kept + 2 * u);
    });
  }

  void backward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    for_rows(step.sums.rows, 4 * u, [&](std::int64_t row) {
      float* const kept = step.records.row(row) + u;
      float* const dz = step.sums.row(row);
      const float* const gates =
          recall_gate(recurrent_activation(), kept, step.recalled.row(row), 2 * u);
      begin_backward_row(step, row, gates, kept + 2 * u, dz, dz + 2 * u);
      kernels().multiply(dz + 2 * u, kept + 3 * u, dz + u, u);
      kernels().multiply(dz + 2 * u, gates + u, dz + 3 * u, u);
      gate_backward(recurrent_activation(), gates, kept, dz, 2 * u);
      std::copy_n(dz, 4 * u, kept);
    });
    if (!step.goes_on) return;
    const ConstStridedMatrix dz = step.sums;
    const Matrix through = step.spare[0];
    multiply(step.numerics, dz.columns_from(0, 2 * u), step.transposed.rows_from(0, 2 * u),
             through);
    multiply(step.numerics, dz.columns_from(3 * u, u), step.transposed.rows_from(2 * u, u), through,
             Chains::kGoOn);
    finish_backward(step, through);
  }
};

/// reset_after=False: hhat = a(x W + (r h) U + b).
/// Record: h before | z r hhat, then their dz | r h.
class GruResetBeforeCell final : public GruCell {
 public:
  using GruCell::GruCell;

  std::int64_t sum_columns() const override { return 3 * units(); }
  GradientParts parts(std::size_t parameter) const override {
    const std::int64_t u = units();
    if (parameter == kRecurrentKernel) return {{{0, 2 * u, u, 0}, {2 * u, u, 3 * u, 4 * u}}};
    return {{{0, 3 * u, u, parameter == kKernel ? GradientPart::kInput : 0}}};
  }

  void forward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    const StridedMatrix sums = step.sums;
    const Matrix reset = step.spare[0];
    const auto kept = [&](std::int64_t row) {
      return step.records.empty() ? nullptr : step.records.row(row) + u;
    };
    multiply(step.numerics, step.x, kernel(), sums);
    multiply(step.numerics, step.h, recurrent_columns(0, 2 * u), sums.columns_from(0, 2 * u),
             Chains::kGoOn);
    for_rows(sums.rows, 2 * u, [&](std::int64_t row) {
      float* const z = step.sums.row(row);
      if (bias() != nullptr) kernels().add_bias(z, bias(), 1, 2 * u);
      activate_gate(recurrent_activation(), z, kept(row), 2 * u);
      kernels().multiply(z + u, step.h.row(row), reset.row(row), u);
      if (kept(row) != nullptr) std::copy_n(reset.row(row), u, kept(row) + 3 * u);
    });
    multiply(step.numerics, reset, recurrent_columns(2 * u, u), sums.columns_from(2 * u, u),
             Chains::kGoOn);
    for_rows(sums.rows, u, [&](std::int64_t row) {
      float* const z = step.sums.row(row);
      if (bias() != nullptr) kernels().add_bias(z + 2 * u, bias() + 2 * u, 1, u);
      finish_row(step, row, z, z + 2 * u, kept(row) == nullptr ? nullptr : kept(row) + 2 * u);
    });
  }

  void backward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    const Matrix by_reset = step.spare[0], through = step.spare[1];
    const ConstStridedMatrix dz = step.sums;
    for_rows(step.sums.rows, 2 * u, [&](std::int64_t row) {
      float* const kept = step.records.row(row) + u;
      float* const to = step.sums.row(row);
      const float* const gates =
          recall_gate(recurrent_activation(), kept, step.recalled.row(row), 2 * u);
      begin_backward_row(step, row, gates, kept + 2 * u, to, to + 2 * u);
    });
    multiply(step.numerics, dz.columns_from(2 * u, u), step.transposed.rows_from(2 * u, u),
             by_reset);
    for_rows(step.sums.rows, 2 * u, [&](std::int64_t row) {
      float* const record = step.records.row(row);
      float* const kept = record + u;
      float* const to = step.sums.row(row);
      const float* const gates =
          recall_gate(recurrent_activation(), kept, step.recalled.row(row), 2 * u);
      kernels().multiply(by_reset.row(row), record, to + u, u);
      kernels().multiply(by_reset.row(row), gates + u, by_reset.row(row), u);
      gate_backward(recurrent_activation(), gates, kept, to, 2 * u);
      std::copy_n(to, 3 * u, kept);
    });
    if (!step.goes_on) return;
    multiply(step.numerics, dz.columns_from(0, 2 * u), step.transposed.rows_from(0, 2 * u),
             through);
    kernels().sum(through.data, by_reset.data, through.data, through.size());
    finish_backward(step, through);
  }
};

}  // namespace

std::unique_ptr<RecurrentCell> make_gru_cell(bool reset_after, std::vector<Parameter*> parameters,
                                             const ActivationFunction& activation,
                                             const ActivationFunction& recurrent_activation,
                                             bool has_factors) {
  if (reset_after)
    return std::make_unique<GruResetAfterCell>(std::move(parameters), activation,
                                               recurrent_activation, has_factors);
  return std::make_unique<GruResetBeforeCell>(std::move(parameters), activation,
                                              recurrent_activation, has_factors);
}

}  // namespace lockstep
