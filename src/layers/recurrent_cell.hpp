#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/matrix.hpp"
#include "src/core/numerics.hpp"
#include "src/core/parallel.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// Keras's cells. GRU has two forms, by reset_after.
enum class CellKind : std::uint8_t { kSimpleRnn, kLstm, kGru, kGruResetBefore };

/// What one step of some rows works on: (rows, ...) each. u: units of the state.
struct RecurrentStep {
  Numerics numerics = Numerics::kExact;
  ConstStridedMatrix x = {};   ///< of this step
  ConstStridedMatrix h = {};   ///< what the recurrent kernel reads: the state, or what dropout left
  StridedMatrix records = {};  ///< of this step; empty if nothing is kept
  StridedMatrix records_before = {};  ///< backward: of the step before; empty at the first
  Matrix sums = {};                   ///< (rows, sum columns): forward the gates, backward dz
  Matrix state = {};                  ///< forward: (rows, u)
  Matrix cell = {};                   ///< LSTM: c, or the gradient by it
  ConstMatrix first_cell = {};        ///< backward, at the first step: c before it; empty for zeros
  bool goes_on = false;  ///< backward: the gradients by the state and cell before are wanted
  Matrix dh = {};        ///< backward: by the state; then by the state before
  std::array<Matrix, 2> spare = {};  ///< (rows, u)
  Matrix recalled = {};              ///< backward: (rows, 4 u)
  ConstMatrix factors = {};          ///< of recurrent dropout: (rows, u), or empty
  ConstMatrix transposed = {};       ///< backward: the recurrent kernel's columns as rows
};

/// Some columns of a parameter's gradient: factor^T dz, or dz added up for a bias.
struct GradientPart {
  static constexpr std::int64_t kInput = -1;
  std::int64_t first = 0;   ///< column of the parameter; of a bias, element
  std::int64_t count = 0;   ///< 0: there is no such part
  std::int64_t dz = 0;      ///< column of the records
  std::int64_t factor = 0;  ///< the same; kInput: the op's x
};
using GradientParts = std::array<GradientPart, 3>;

/// What a recurrent layer computes in a step, and what it keeps of it: a record for each pair of
/// row and step, of which backward leaves the gradients by the sums before the activations (dz)
/// where forward had the gates. Every record begins with h, as the recurrent kernel read it.
class RecurrentCell {
 public:
  static constexpr std::size_t kKernel = 0, kRecurrentKernel = 1, kBias = 2;

  RecurrentCell(std::vector<Parameter*> parameters, const ActivationFunction& activation,
                const ActivationFunction& recurrent_activation);
  virtual ~RecurrentCell() = default;

  std::int64_t units() const { return units_; }
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  ConstMatrix recurrent_kernel() const { return matrix(kRecurrentKernel); }
  ConstMatrix kernel() const { return matrix(kKernel); }

  virtual std::size_t states() const { return 1; }  ///< h; of an LSTM c, too
  virtual std::int64_t sum_columns() const = 0;
  virtual std::int64_t record_columns() const = 0;
  /// Where dz of all sums stands in a record, those of the kernel's columns first.
  virtual std::int64_t dz_column() const { return units_; }
  virtual GradientParts parts(std::size_t parameter) const = 0;

  /// sums = x W, h U, b; state and cell become those after the step.
  virtual void forward(const RecurrentStep& step) const = 0;
  /// Behind forward, in the record of a row whose step is masked, what later steps read of it:
  /// state and cell are again those before the step.
  virtual void carry(const RecurrentStep& /*step*/, std::int64_t /*row*/) const {}
  /// From dh, and cell = the gradient by c: dz, in the records, and the gradients by the state and
  /// cell before, if the step goes on.
  virtual void backward(const RecurrentStep& step) const = 0;

 protected:
  /// Null if there is none.
  const float* bias() const {
    return parameters_.size() > kBias ? parameters_[kBias]->value.data() : nullptr;
  }
  const ActivationFunction& activation() const { return activation_; }
  const ActivationFunction& recurrent_activation() const { return recurrent_activation_; }
  /// Columns of the recurrent kernel.
  ConstStridedMatrix recurrent_columns(std::int64_t first, std::int64_t count) const {
    return ConstStridedMatrix(recurrent_kernel()).columns_from(first, count);
  }

 private:
  ConstMatrix matrix(std::size_t parameter) const {
    const Parameter& p = *parameters_[parameter];
    return {p.value.data(), p.shape[0], p.shape[1]};
  }

  std::vector<Parameter*> parameters_;
  std::int64_t units_;
  ActivationFunction activation_, recurrent_activation_;
};

/// `parameters`: kernel, recurrent kernel, and bias if there is one. `has_factors`: steps have
/// some.
std::unique_ptr<RecurrentCell> make_recurrent_cell(CellKind kind,
                                                   std::vector<Parameter*> parameters,
                                                   const ActivationFunction& activation,
                                                   const ActivationFunction& recurrent_activation,
                                                   bool has_factors);
std::unique_ptr<RecurrentCell> make_lstm_cell(std::vector<Parameter*> parameters,
                                              const ActivationFunction& activation,
                                              const ActivationFunction& recurrent_activation);
std::unique_ptr<RecurrentCell> make_gru_cell(bool reset_after, std::vector<Parameter*> parameters,
                                             const ActivationFunction& activation,
                                             const ActivationFunction& recurrent_activation,
                                             bool has_factors);

// --- For the cells ---

/// f(row) of all rows, on as many threads as pay for rows of so many units.
template <class F>
void for_rows(std::int64_t rows, std::int64_t units, const F& f) {
  constexpr std::int64_t kWorthThreads = 1 << 13;
  const std::int64_t parts =
      rows * units < kWorthThreads ? 1 : std::min<std::int64_t>(threads(), rows);
  parallel_for(parts, [&](std::int64_t part) {
    const Range mine = part_of({0, rows}, part, parts, 1);
    for (std::int64_t row = mine.first; row < mine.last; ++row) f(row);
  });
}

// Of n consecutive elements:

/// z = f(z). `kept` gets what backward needs of it: z before or behind f. Null: nothing is kept.
void activate_gate(const ActivationFunction& f, float* z, float* kept, std::int64_t n);
/// f(z) from what was kept: that itself, or in `spare`.
const float* recall_gate(const ActivationFunction& f, const float* kept, float* spare,
                         std::int64_t n);
/// dz = dz f'(z); y = f(z), as recalled.
void gate_backward(const ActivationFunction& f, const float* y, const float* kept, float* dz,
                   std::int64_t n);

}  // namespace lockstep
