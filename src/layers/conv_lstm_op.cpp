#include "src/layers/conv_lstm_op.hpp"

#include <algorithm>

#include "src/core/scratch.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/lstm_row.hpp"
#include "src/layers/random_factors_op.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kGates = 4;

/// A row's factors, (gate, elements); ones without dropout.
void draw(const Pass& pass, const GateMasks& masks, std::int64_t batch_row,
          std::span<float> factors) {
  if (pass.training)
    RowRandom(pass, masks.purpose, masks.key)
        .mask(batch_row, masks.rate, scale_of_kept(masks.rate), factors);
  else
    std::ranges::fill(factors, 1.0f);
}

/// to = from times each gate's factors: (positions, channels) to (positions, 4 channels).
void spread(const float* from, const float* factors, std::int64_t elements, std::int64_t channels,
            float* to) {
  for (std::int64_t at = 0; at < elements; at += channels)
    for (std::int64_t gate = 0; gate < kGates; ++gate, to += channels)
      kernels().multiply(from + at, factors + gate * elements + at, to, channels);
}

/// Its gradient: the gates' products, added in their order.
void gather(const float* from, const float* factors, std::int64_t elements, std::int64_t channels,
            float* to) {
  for (std::int64_t at = 0; at < elements; at += channels) {
    for (std::int64_t gate = 0; gate < kGates; ++gate, from += channels) {
      const float* const its = factors + gate * elements + at;
      for (std::int64_t j = 0; j < channels; ++j) {
        const float product = from[j] * its[j];
        to[at + j] = gate == 0 ? product : to[at + j] + product;
      }
    }
  }
}

class GateDropoutOp final : public Op {
 public:
  GateDropoutOp(std::int64_t steps, std::int64_t elements, std::int64_t channels,
                const GateMasks& masks)
      : steps_(steps), elements_(elements), channels_(channels), masks_(masks) {}

  Needs needs() const override {
    return {.kept_per_row = kGates * elements_,
            .backward_reads_x = false,
            .backward_reads_y = false,
            .draws = masks_.rate > 0};
  }
  void forward(const Pass& pass, const OpValues& values) const override {
    Scratch scratch(Scratch::floats(1, kGates * elements_));
    const Matrix own = scratch.take(1, kGates * elements_);
    for (std::int64_t i = 0; i < values.rows(); ++i) {
      const Matrix factors = values.kept().empty() ? own : values.kept().rows_from(i, 1);
      draw(pass, masks_, values.batch_row() + i, factors.flat());
      for (std::int64_t s = 0; s < steps_; ++s)
        spread(values.x().row(i) + s * elements_, factors.data, elements_, channels_,
               values.y().row(i) + s * kGates * elements_);
    }
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (values.dx().empty()) return;
    for (std::int64_t i = 0; i < values.rows(); ++i)
      for (std::int64_t s = 0; s < steps_; ++s)
        gather(values.dy().row(i) + s * kGates * elements_, values.kept().row(i), elements_,
               channels_, values.dx().row(i) + s * elements_);
  }

 private:
  std::int64_t steps_, elements_, channels_;
  GateMasks masks_;
};

/// Kept of a row: the masks of the state, if there are any; then of each step the state before it
/// as the kernel reads it, and what LstmRow keeps of each position, of which backward leaves dz.
class ConvLstmOp final : public Op {
 public:
  ConvLstmOp(Parameter* kernel, const ConvLstmSetting& setting)
      : kernel_(kernel),
        setting_(setting),
        positions_(setting.positions()),
        filters_(setting.filters()),
        lstm_(setting.activation, setting.recurrent_activation, nullptr, filters_) {}

  Needs needs() const override {
    return {.kept_per_row = masks_size() + setting_.steps * record_size(),
            .backward_reads_x = setting_.mask_columns > 0,
            .backward_reads_y = false,
            .gradient_reads_y = false,
            .draws = drops()};
  }
  std::span<Parameter* const> parameters() const override { return {&kernel_, 1}; }
  Range gradient_columns(std::size_t, Range, std::int64_t) const override { return {}; }

  void forward(const Pass& pass, const OpValues& values) const override;
  void backward(const Pass& pass, const OpValues& values) const override;
  void gradient(const Pass& pass, const OpValues& values, const Subtrees& subtrees,
                std::size_t parameter, Range elements, float* out) const override;

 private:
  bool drops() const { return setting_.masks.rate > 0; }
  bool is_masked(const OpValues& values, std::int64_t row, std::int64_t step,
                 std::int64_t p) const {
    const std::int64_t columns = setting_.mask_columns;
    return columns > 0 &&
           values.x(1).row(row)[position(step) * columns + (columns == 1 ? 0 : p)] == 0;
  }
  /// f(row, p) of the positions that are masked in this step.
  template <class F>
  void for_masked(const OpValues& values, std::int64_t step, const F& f) const {
    if (setting_.mask_columns == 0) return;
    for (std::int64_t i = 0; i < values.rows(); ++i)
      for (std::int64_t p = 0; p < positions_; ++p)
        if (is_masked(values, i, step, p)) f(i, p);
  }
  std::int64_t state_size() const { return positions_ * filters_; }
  std::int64_t gates_size() const { return kGates * state_size(); }
  /// Of the state as the kernel reads it.
  std::int64_t read_size() const { return setting_.recurrent.input_floats(); }
  std::int64_t masks_size() const { return drops() ? gates_size() : 0; }
  /// Of the gradients by states that masked positions leave as they are.
  std::int64_t carried_size() const { return setting_.mask_columns > 0 ? state_size() : 0; }
  std::int64_t record_size() const { return read_size() + positions_ * lstm_.kept_columns(); }
  std::int64_t position(std::int64_t step) const {
    return setting_.go_backwards ? setting_.steps - 1 - step : step;
  }
  float* record(Matrix kept, std::int64_t row, std::int64_t at) const {
    return kept.row(row) + masks_size() + at * record_size();
  }
  /// Where a step's output, or its gradient, lies in a row; negative if it has none.
  std::int64_t output_column(std::int64_t step) const {
    if (!setting_.return_sequences) return step + 1 == setting_.steps ? 0 : -1;
    return (setting_.in_input_order ? position(step) : step) * state_size();
  }

  Parameter* kernel_;
  ConvLstmSetting setting_;
  std::int64_t positions_, filters_;
  LstmRow lstm_;
};

void ConvLstmOp::forward(const Pass& pass, const OpValues& values) const {
  const std::int64_t n = values.rows();
  const Matrix kept = values.kept();
  Scratch scratch(Scratch::floats(n, gates_size()) + 2 * Scratch::floats(n, state_size()) +
                  Scratch::floats(n, read_size()) + Scratch::floats(n, masks_size()));
  const Matrix z = scratch.take(n, gates_size());
  const Matrix h = scratch.take(n, state_size()), c = scratch.take(n, state_size());
  const Matrix masked_h = scratch.take(n, read_size()), masks = scratch.take(n, masks_size());
  std::ranges::fill(h.flat(), 0.0f);
  std::ranges::fill(c.flat(), 0.0f);
  for (std::int64_t i = 0; i < n && drops(); ++i) {
    draw(pass, setting_.masks, values.batch_row() + i, masks.rows_from(i, 1).flat());
    if (!kept.empty()) std::copy_n(masks.row(i), masks_size(), kept.row(i));
  }
  for (std::int64_t s = 0; s < setting_.steps; ++s) {
    const std::int64_t at = position(s);
    for (std::int64_t i = 0; i < n && drops(); ++i)
      spread(h.row(i), masks.row(i), state_size(), filters_, masked_h.row(i));
    const Matrix read = drops() ? masked_h : h;
    for (std::int64_t i = 0; i < n && !kept.empty(); ++i)
      std::copy_n(read.row(i), read_size(), record(kept, i, at));
    if (s > 0) convolve(setting_.recurrent, n, read.data, kernel_->value.data(), {}, z.data);
    for (std::int64_t i = 0; i < n; ++i) {
      const float* const x = values.x().row(i) + at * gates_size();
      if (s == 0)
        std::copy_n(x, gates_size(), z.row(i));
      else
        kernels().sum(x, z.row(i), z.row(i), gates_size());
    }
    for_rows(n * positions_, kGates * filters_, [&](std::int64_t row) {
      float* const its = kept.empty() ? nullptr
                                      : record(kept, row / positions_, at) + read_size() +
                                            row % positions_ * lstm_.kept_columns();
      if (is_masked(values, row / positions_, s, row % positions_)) {
        if (its != nullptr)
          std::copy_n(c.data + row * filters_, filters_, its + lstm_.cell_column());
        return;
      }
      lstm_.forward(z.data + row * kGates * filters_, h.data + row * filters_,
                    c.data + row * filters_, its);
    });
    const std::int64_t column = output_column(s);
    if (column < 0) continue;
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(h.row(i), state_size(), values.y().row(i) + column);
    if (setting_.zeros_for_mask)
      for_masked(values, s, [&](std::int64_t i, std::int64_t p) {
        std::fill_n(values.y().row(i) + column + p * filters_, filters_, 0.0f);
      });
  }
}

void ConvLstmOp::backward(const Pass&, const OpValues& values) const {
  const std::int64_t n = values.rows();
  const Matrix kept = values.kept(), dx = values.dx();
  Scratch scratch(2 * Scratch::floats(n, gates_size()) + 4 * Scratch::floats(n, state_size()) +
                  Scratch::floats(n, carried_size()) + Scratch::floats(n, read_size()));
  const Matrix dz = scratch.take(n, gates_size()), recalled = scratch.take(n, gates_size());
  const Matrix dh = scratch.take(n, state_size()), dc = scratch.take(n, state_size());
  const std::array<Matrix, 2> spare = {scratch.take(n, state_size()),
                                       scratch.take(n, state_size())};
  const Matrix carried = scratch.take(n, carried_size()), dread = scratch.take(n, read_size());
  std::ranges::fill(dc.flat(), 0.0f);
  std::ranges::fill(dh.flat(), 0.0f);
  for (std::int64_t s = setting_.steps; s-- > 0;) {
    const std::int64_t at = position(s), column = output_column(s);
    for (std::int64_t i = 0; i < n && column >= 0; ++i) {
      const float* const dy = values.dy().row(i) + column;
      const std::int64_t part = setting_.zeros_for_mask ? filters_ : state_size();
      for (std::int64_t first = 0; first < state_size(); first += part) {
        if (setting_.zeros_for_mask && is_masked(values, i, s, first / filters_)) continue;
        float* const its = dh.row(i) + first;
        if (s + 1 == setting_.steps)
          std::copy_n(dy + first, part, its);
        else
          kernels().sum(dy + first, its, its, part);
      }
    }
    std::ranges::fill(carried.flat(), 0.0f);
    for_masked(values, s, [&](std::int64_t i, std::int64_t p) {
      std::copy_n(dh.row(i) + p * filters_, filters_, carried.row(i) + p * filters_);
    });
    for_rows(n * positions_, kGates * filters_, [&](std::int64_t row) {
      const std::int64_t within = read_size() + row % positions_ * lstm_.kept_columns();
      if (is_masked(values, row / positions_, s, row % positions_)) {
        std::fill_n(dz.data + row * kGates * filters_, kGates * filters_, 0.0f);
        std::fill_n(record(kept, row / positions_, at) + within, kGates * filters_, 0.0f);
        return;
      }
      const float* const before =
          s == 0 ? nullptr
                 : record(kept, row / positions_, position(s - 1)) + within + lstm_.cell_column();
      lstm_.backward({.kept = record(kept, row / positions_, at) + within,
                      .c_before = before,
                      .dh = dh.data + row * filters_,
                      .dc = dc.data + row * filters_,
                      .dz = dz.data + row * kGates * filters_,
                      .recalled = recalled.data + row * kGates * filters_,
                      .spare = {spare[0].data + row * filters_, spare[1].data + row * filters_}});
    });
    for (std::int64_t i = 0; i < n && !dx.empty(); ++i)
      std::copy_n(dz.row(i), gates_size(), dx.row(i) + at * gates_size());
    if (s == 0) break;
    const Matrix by_read = drops() ? dread : dh;
    convolve_input_gradient(setting_.recurrent, n, dz.data, kernel_->value.data(), by_read.data);
    for (std::int64_t i = 0; i < n && drops(); ++i)
      gather(dread.row(i), kept.row(i), state_size(), filters_, dh.row(i));
    if (setting_.mask_columns > 0) kernels().sum(carried.data, dh.data, dh.data, dh.size());
  }
}

/// The states and gates of a subtree's rows, one step behind the other, as a convolution's samples.
void ConvLstmOp::gradient(const Pass&, const OpValues& values, const Subtrees& subtrees,
                          std::size_t, Range elements, float* out) const {
  const std::int64_t steps = setting_.steps;
  for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, out += subtrees.stride) {
    const Range rows = subtrees.samples[subtree];
    const std::int64_t samples = rows.count() * steps;
    Scratch scratch(Scratch::floats(samples, read_size()) + Scratch::floats(samples, gates_size()));
    const Matrix read = scratch.take(samples, read_size()),
                 dz = scratch.take(samples, gates_size());
    for (std::int64_t sample = 0; sample < samples; ++sample) {
      const float* from = record(values.kept(), rows.first + sample / steps, sample % steps);
      std::copy_n(from, read_size(), read.row(sample));
      from += read_size();
      for (std::int64_t p = 0; p < positions_; ++p, from += lstm_.kept_columns())
        std::copy_n(from, kGates * filters_, dz.row(sample) + p * kGates * filters_);
    }
    const Range all{0, samples};
    const Subtrees one{.samples = {&all, 1}, .grain = subtrees.grain * steps};
    convolve_kernel_gradient(setting_.recurrent, read.data, dz.data, one, elements, out);
  }
}

}  // namespace

std::unique_ptr<Op> make_conv_lstm_op(Parameter* recurrent_kernel, const ConvLstmSetting& setting) {
  return std::make_unique<ConvLstmOp>(recurrent_kernel, setting);
}

std::unique_ptr<Op> make_gate_dropout_op(std::int64_t steps, std::int64_t elements,
                                         std::int64_t channels, const GateMasks& masks) {
  return std::make_unique<GateDropoutOp>(steps, elements, channels, masks);
}

}  // namespace lockstep
