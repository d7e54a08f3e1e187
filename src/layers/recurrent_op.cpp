#include "src/layers/recurrent_op.hpp"

#include <algorithm>
#include <array>

#include "src/core/scratch.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/random_factors_op.hpp"

namespace lockstep {
namespace {

/// to = from^T, tile by tile: by whole rows, every element would wait for another line of cache.
void transpose(ConstMatrix from, Matrix to) {
  constexpr std::int64_t kTile = 16;
  for (std::int64_t i = 0; i < from.rows; i += kTile)
    for (std::int64_t j = 0; j < from.columns; j += kTile)
      for (std::int64_t b = j; b < std::min(j + kTile, from.columns); ++b)
        for (std::int64_t a = i; a < std::min(i + kTile, from.rows); ++a)
          to.row(b)[a] = from.row(a)[b];
}

void copy_rows(ConstStridedMatrix from, StridedMatrix to) {
  for (std::int64_t i = 0; i < to.rows; ++i) std::copy_n(from.row(i), to.columns, to.row(i));
}

class RecurrentOp final : public Op {
 public:
  RecurrentOp(std::unique_ptr<const RecurrentCell> cell, const RecurrentSetting& setting)
      : cell_(std::move(cell)), setting_(setting) {}

  Needs needs() const override {
    return {.kept_per_row = setting_.steps * cell_->record_columns(),
            .backward_reads_x = setting_.masked || setting_.begins_with_state,
            .backward_reads_y = false,
            .gradient_reads_y = false,
            .draws = setting_.recurrent_dropout > 0,
            .carries = setting_.carried[0] != nullptr};
  }
  std::span<Parameter* const> parameters() const override { return cell_->parameters(); }

  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;

 private:
  std::int64_t units() const { return cell_->units(); }
  bool drops(const Pass& pass) const { return pass.training && setting_.recurrent_dropout > 0; }
  std::int64_t position(std::int64_t step) const {
    return setting_.go_backwards ? setting_.steps - 1 - step : step;
  }
  /// Where a step's output, or its gradient, lies in (rows, all outputs); empty if it has none.
  template <class T>
  StridedView<T> output_of(MatrixView<T> y, std::int64_t step) const {
    if (!setting_.return_sequences)
      return step + 1 == setting_.steps ? StridedView<T>(y).columns_from(0, units())
                                        : StridedView<T>();
    const std::int64_t at = setting_.in_input_order ? position(step) : step;
    return StridedView<T>(y).columns_from(at * units(), units());
  }
  /// Where a state, or its gradient, lies behind all outputs.
  template <class T>
  StridedView<T> state_of(MatrixView<T> y, std::size_t state) const {
    const std::int64_t before =
        (setting_.return_sequences ? setting_.steps : 1) + static_cast<std::int64_t>(state);
    return StridedView<T>(y).columns_from(before * units(), units());
  }
  /// The input that is a state to begin with.
  std::size_t input_of(std::size_t state) const { return (setting_.masked ? 2 : 1) + state; }
  /// Whether it may begin with a state other than zeros.
  bool goes_on() const { return setting_.begins_with_state || setting_.carried[0] != nullptr; }
  /// The rows' places in a state of the batch before, or in what is left for the next one. Empty if
  /// the layer carries none.
  Matrix carried(const OpValues& values, std::size_t state, Matrix (CarriedState::*part)()) const {
    CarriedState* const it = setting_.carried[state];
    if (it == nullptr || it->rows() == 0) return {};
    return (it->*part)().rows_from(values.batch_row(), values.rows());
  }
  /// Where the steps begin; empty: with zeros.
  ConstMatrix first_state(const OpValues& values, std::size_t state) const {
    if (state >= cell_->states()) return {};
    if (setting_.begins_with_state) return values.x(input_of(state));
    return carried(values, state, &CarriedState::before);
  }
  bool wants_first_state(const OpValues& values) const {
    for (std::size_t k = 0; setting_.begins_with_state && k < cell_->states(); ++k)
      if (!values.dx(input_of(k)).empty()) return true;
    return false;
  }
  /// Of a step; empty if nothing is kept.
  StridedMatrix records_of(Matrix kept, std::int64_t step) const {
    if (kept.empty()) return {};
    return StridedMatrix(kept).columns_from(position(step) * cell_->record_columns(),
                                            cell_->record_columns());
  }
  /// Columns of the records of all rows and positions.
  ConstStridedMatrix record_columns(Matrix kept, std::int64_t first, std::int64_t count) const {
    return ConstStridedMatrix(kept.with_columns(cell_->record_columns()))
        .columns_from(first, count);
  }
  bool is_masked(const OpValues& values, std::int64_t row, std::int64_t step) const {
    return setting_.masked && values.x(1).row(row)[position(step)] == 0;
  }
  /// Whether a masked step gives zeros, and not the output before it: Keras's outputs, unlike its
  /// states, begin with zeros.
  bool gives_zeros(const OpValues& values, std::int64_t row, std::int64_t step) const {
    if (!is_masked(values, row, step)) return false;
    if (setting_.zeros_for_mask || !goes_on()) return setting_.zeros_for_mask;
    while (step > 0 && is_masked(values, row, step - 1)) --step;
    return step == 0;
  }
  /// f(row) of those that are masked in this step.
  template <class F>
  void for_masked(const OpValues& values, std::int64_t step, const F& f) const {
    for (std::int64_t i = 0; setting_.masked && i < values.rows(); ++i)
      if (is_masked(values, i, step)) f(i);
  }
  /// Of every row, a pure function of its position in the batch.
  void draw(const Pass& pass, const OpValues& values, Matrix factors) const {
    const RowRandom random(pass, setting_.purpose, setting_.key, setting_.part);
    const double rate = setting_.recurrent_dropout;
    for (std::int64_t i = 0; i < factors.rows; ++i)
      random.mask(values.batch_row() + i, rate, scale_of_kept(rate),
                  factors.rows_from(i, 1).flat());
  }

  std::unique_ptr<const RecurrentCell> cell_;
  RecurrentSetting setting_;
};

void RecurrentOp::forward(const Pass& pass, const OpValues& values) const {
  const std::int64_t n = values.rows(), u = units();
  Scratch scratch(Scratch::floats(n, cell_->sum_columns()) + 8 * Scratch::floats(n, u));
  RecurrentStep step{.numerics = pass.numerics};
  step.sums = scratch.take(n, cell_->sum_columns());
  step.state = scratch.take(n, u);
  step.cell = scratch.take(n, u);
  step.spare = {scratch.take(n, u), scratch.take(n, u)};
  const Matrix dropped = scratch.take(n, u), factors = scratch.take(n, u);
  const Matrix state_before = scratch.take(n, u), cell_before = scratch.take(n, u);
  step.h = drops(pass) ? dropped : step.state;
  if (drops(pass)) {
    draw(pass, values, factors);
    step.factors = factors;
  }
  const std::array states = {step.state, step.cell};
  for (std::size_t k = 0; k < states.size(); ++k) {
    if (const ConstMatrix first = first_state(values, k); !first.empty())
      copy_rows(first, states[k]);
    else
      std::ranges::fill(states[k].flat(), 0.0f);
  }
  const ConstStridedMatrix x = values.x();
  for (std::int64_t s = 0; s < setting_.steps; ++s) {
    step.x = x.columns_from(position(s) * setting_.inputs, setting_.inputs);
    step.records = records_of(values.kept(), s);
    if (drops(pass))
      kernels().multiply(step.state.data, factors.data, dropped.data, dropped.size());
    if (!step.records.empty())
      for (std::int64_t i = 0; i < n; ++i) std::copy_n(step.h.row(i), u, step.records.row(i));
    for_masked(values, s, [&](std::int64_t i) {
      std::copy_n(step.state.row(i), u, state_before.row(i));
      std::copy_n(step.cell.row(i), u, cell_before.row(i));
    });
    cell_->forward(step);
    for_masked(values, s, [&](std::int64_t i) {
      std::copy_n(state_before.row(i), u, step.state.row(i));
      std::copy_n(cell_before.row(i), u, step.cell.row(i));
      if (!step.records.empty()) cell_->carry(step, i);
    });
    const StridedMatrix y = output_of(values.y(), s);
    if (y.empty()) continue;
    for (std::int64_t i = 0; i < n; ++i) std::copy_n(step.state.row(i), u, y.row(i));
    for_masked(values, s, [&](std::int64_t i) {
      if (gives_zeros(values, i, s)) std::fill_n(y.row(i), u, 0.0f);
    });
  }
  for (std::size_t k = 0; setting_.return_state && k < cell_->states(); ++k)
    copy_rows(states[k], state_of(values.y(), k));
  for (std::size_t k = 0; k < cell_->states(); ++k)
    if (const Matrix after = carried(values, k, &CarriedState::after); !after.empty())
      copy_rows(states[k], after);
}

void RecurrentOp::backward(const Pass& pass, const OpValues& values) const {
  const std::int64_t n = values.rows(), u = units();
  const ConstMatrix recurrent = cell_->recurrent_kernel();
  Scratch scratch(Scratch::floats(n, cell_->sum_columns()) + 7 * Scratch::floats(n, u) +
                  Scratch::floats(n, 4 * u) + Scratch::floats(u, recurrent.columns));
  RecurrentStep step{.numerics = pass.numerics};
  step.sums = scratch.take(n, cell_->sum_columns());
  step.dh = scratch.take(n, u);
  step.cell = scratch.take(n, u);
  step.spare = {scratch.take(n, u), scratch.take(n, u)};
  step.recalled = scratch.take(n, 4 * u);
  const Matrix factors = scratch.take(n, u);
  if (drops(pass)) {
    draw(pass, values, factors);
    step.factors = factors;
  }
  const Matrix dh_behind = scratch.take(n, u), cell_behind = scratch.take(n, u);
  const Matrix transposed = scratch.take(recurrent.columns, u);
  transpose(recurrent, transposed);
  step.transposed = transposed;
  const std::array states = {step.dh, step.cell};
  for (std::size_t k = 0; k < states.size(); ++k) {
    if (setting_.return_state && k < cell_->states())
      copy_rows(state_of(ConstMatrix(values.dy()), k), states[k]);
    else
      std::ranges::fill(states[k].flat(), 0.0f);
  }
  for (std::int64_t s = setting_.steps; s-- > 0;) {
    const ConstStridedMatrix dy = output_of(ConstMatrix(values.dy()), s);
    for (std::int64_t i = 0; i < n && !dy.empty(); ++i) {
      if (gives_zeros(values, i, s)) continue;
      if (s + 1 == setting_.steps && !setting_.return_state)
        std::copy_n(dy.row(i), u, step.dh.row(i));
      else
        kernels().sum(dy.row(i), step.dh.row(i), step.dh.row(i), u);
    }
    for_masked(values, s, [&](std::int64_t i) {
      std::copy_n(step.dh.row(i), u, dh_behind.row(i));
      std::copy_n(step.cell.row(i), u, cell_behind.row(i));
    });
    step.records = records_of(values.kept(), s);
    step.records_before = s > 0 ? records_of(values.kept(), s - 1) : StridedMatrix();
    step.goes_on = s > 0 || wants_first_state(values);
    if (s == 0) step.first_cell = first_state(values, 1);
    cell_->backward(step);
    for_masked(values, s, [&](std::int64_t i) {
      std::copy_n(dh_behind.row(i), u, step.dh.row(i));
      std::copy_n(cell_behind.row(i), u, step.cell.row(i));
      std::fill_n(step.records.row(i) + cell_->dz_column(), cell_->sum_columns(), 0.0f);
    });
  }
  for (std::size_t k = 0; setting_.begins_with_state && k < cell_->states(); ++k)
    if (const Matrix dx = values.dx(input_of(k)); !dx.empty()) copy_rows(states[k], dx);
  const Matrix dx = values.dx();
  if (dx.empty()) return;
  const ConstMatrix kernel = cell_->kernel();
  multiply_transposed_b(pass.numerics,
                        record_columns(values.kept(), cell_->dz_column(), kernel.columns), kernel,
                        dx.with_columns(setting_.inputs));
}

void RecurrentOp::gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                           std::size_t parameter, Range elements, float* out) const {
  const Subtrees of_positions = subtrees.with_positions(setting_.steps);
  for (const GradientPart& part : cell_->parts(parameter)) {
    if (part.count == 0) continue;
    const ConstStridedMatrix dz = record_columns(values.kept(), part.dz, part.count);
    if (parameter == RecurrentCell::kBias) {
      const Range wanted{std::max(elements.first, part.first),
                         std::min(elements.last, part.first + part.count)};
      if (wanted.first < wanted.last)
        sum_rows(dz, of_positions, {wanted.first - part.first, wanted.last - part.first},
                 out + (wanted.first - elements.first));
      continue;
    }
    const bool by_input = part.factor == GradientPart::kInput;
    multiply_transposed_a(
        pass.numerics,
        by_input ? ConstStridedMatrix(values.x().with_columns(setting_.inputs))
                 : record_columns(values.kept(), part.factor, units()),
        dz, of_positions, elements, out,
        {.first = part.first, .all = cell_->parameters()[parameter]->shape.back()});
  }
}

}  // namespace

std::unique_ptr<Op> make_recurrent_op(std::unique_ptr<const RecurrentCell> cell,
                                      const RecurrentSetting& setting) {
  return std::make_unique<RecurrentOp>(std::move(cell), setting);
}

}  // namespace lockstep
