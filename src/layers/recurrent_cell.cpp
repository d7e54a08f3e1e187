#include "src/layers/recurrent_cell.hpp"

#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// h = f(x W + h U + b).  Record: h before | the sum, or h: as f's derivative needs it.
class SimpleRnnCell final : public RecurrentCell {
 public:
  SimpleRnnCell(std::vector<Parameter*> parameters, const ActivationFunction& activation)
      : RecurrentCell(std::move(parameters), activation, activation) {}

  std::int64_t sum_columns() const override { return units(); }
  std::int64_t record_columns() const override { return 2 * units(); }
  GradientParts parts(std::size_t parameter) const override {
    return {{{0, units(), units(), parameter == kKernel ? GradientPart::kInput : 0}}};
  }

  void forward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    multiply(step.numerics, step.x, kernel(), step.sums);
    multiply(step.numerics, step.h, recurrent_kernel(), step.sums, Chains::kGoOn);
    for_rows(step.sums.rows, u, [&](std::int64_t row) {
      float* const h = step.state.row(row);
      std::copy_n(step.sums.row(row), u, h);
      if (bias() != nullptr) kernels().add_bias(h, bias(), 1, u);
      activate_gate(activation(), h, step.records.empty() ? nullptr : step.records.row(row) + u, u);
    });
  }

  void backward(const RecurrentStep& step) const override {
    const std::int64_t u = units();
    for_rows(step.sums.rows, u, [&](std::int64_t row) {
      float* const kept = step.records.row(row) + u;
      float* const dz = step.sums.row(row);
      std::copy_n(step.dh.row(row), u, dz);
      gate_backward(activation(), kept, kept, dz, u);
      std::copy_n(dz, u, kept);
    });
    if (!step.goes_on) return;
    multiply(step.numerics, step.sums, step.transposed, step.dh);
    if (!step.factors.empty())
      kernels().multiply(step.dh.data, step.factors.data, step.dh.data, step.dh.size());
  }
};

}  // namespace

RecurrentCell::RecurrentCell(std::vector<Parameter*> parameters,
                             const ActivationFunction& activation,
                             const ActivationFunction& recurrent_activation)
    : parameters_(std::move(parameters)),
      units_(parameters_[kRecurrentKernel]->shape[0]),
      activation_(activation),
      recurrent_activation_(recurrent_activation) {}

std::unique_ptr<RecurrentCell> make_recurrent_cell(CellKind kind,
                                                   std::vector<Parameter*> parameters,
                                                   const ActivationFunction& activation,
                                                   const ActivationFunction& recurrent_activation,
                                                   bool has_factors) {
  switch (kind) {
    case CellKind::kSimpleRnn:
      return std::make_unique<SimpleRnnCell>(std::move(parameters), activation);
    case CellKind::kLstm:
      return make_lstm_cell(std::move(parameters), activation, recurrent_activation);
    case CellKind::kGru:
    case CellKind::kGruResetBefore:
      break;
  }
  return make_gru_cell(kind == CellKind::kGru, std::move(parameters), activation,
                       recurrent_activation, has_factors);
}

void activate_gate(const ActivationFunction& f, float* z, float* kept, std::int64_t n) {
  const bool by_input = needs_input(f.kind);
  if (kept != nullptr && by_input) std::copy_n(z, n, kept);
  activate(f, {z, 1, n});
  if (kept != nullptr && !by_input) std::copy_n(z, n, kept);
}

const float* recall_gate(const ActivationFunction& f, const float* kept, float* spare,
                         std::int64_t n) {
  if (!needs_input(f.kind)) return kept;
  std::copy_n(kept, n, spare);
  activate(f, {spare, 1, n});
  return spare;
}

void gate_backward(const ActivationFunction& f, const float* y, const float* kept, float* dz,
                   std::int64_t n) {
  activation_backward(f, {y, 1, n}, {kept, 1, n}, {dz, 1, n});
}

}  // namespace lockstep
