#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/lstm_row.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {
namespace {

/// Keras's columns are i, f, g, o.  Record: h before | what LstmRow keeps.
class LstmCell final : public RecurrentCell {
 public:
  using RecurrentCell::RecurrentCell;

  std::size_t states() const override { return 2; }
  std::int64_t sum_columns() const override { return 4 * units(); }
  std::int64_t record_columns() const override { return 7 * units(); }
  GradientParts parts(std::size_t parameter) const override {
    return {{{0, 4 * units(), units(), parameter == kKernel ? GradientPart::kInput : 0}}};
  }

  void forward(const RecurrentStep& step) const override {
    multiply(step.numerics, step.x, kernel(), step.sums);
    multiply(step.numerics, step.h, recurrent_kernel(), step.sums, Chains::kGoOn);
    const LstmRow lstm = row_of();
    for_rows(step.sums.rows, 4 * units(), [&](std::int64_t row) {
      lstm.forward(step.sums.row(row), step.state.row(row), step.cell.row(row),
                   step.records.empty() ? nullptr : step.records.row(row) + units());
    });
  }

  void carry(const RecurrentStep& step, std::int64_t row) const override {
    std::copy_n(step.cell.row(row), units(), step.records.row(row) + 5 * units());
  }

  void backward(const RecurrentStep& step) const override {
    const LstmRow lstm = row_of();
    for_rows(step.sums.rows, 4 * units(), [&](std::int64_t row) { backward_row(lstm, step, row); });
    if (!step.goes_on) return;
    multiply(step.numerics, step.sums, step.transposed, step.dh);
    if (!step.factors.empty())
      kernels().multiply(step.dh.data, step.factors.data, step.dh.data, step.dh.size());
  }

 private:
  LstmRow row_of() const { return {activation(), recurrent_activation(), bias(), units()}; }
  void backward_row(const LstmRow& lstm, const RecurrentStep& step, std::int64_t row) const {
    const float* c_before = nullptr;
    if (!step.records_before.empty())
      c_before = step.records_before.row(row) + units() + lstm.cell_column();
    else if (!step.first_cell.empty())
      c_before = step.first_cell.row(row);
    lstm.backward({.kept = step.records.row(row) + units(),
                   .c_before = c_before,
                   .dh = step.dh.row(row),
                   .dc = step.cell.row(row),
                   .dz = step.sums.row(row),
                   .recalled = step.recalled.row(row),
                   .spare = {step.spare[0].row(row), step.spare[1].row(row)}});
  }
};

}  // namespace

std::unique_ptr<RecurrentCell> make_lstm_cell(std::vector<Parameter*> parameters,
                                              const ActivationFunction& activation,
                                              const ActivationFunction& recurrent_activation) {
  return std::make_unique<LstmCell>(std::move(parameters), activation, recurrent_activation);
}

}  // namespace lockstep
