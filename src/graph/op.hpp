#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/grain_tree.hpp"
#include "src/core/matrix.hpp"
#include "src/core/range.hpp"
#include "src/graph/pass.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// What an op needs beside its inputs and its output. All memory is planned from it.
struct Needs {
  std::int64_t kept_per_row = 0;   ///< floats that forward leaves for backward and gradient
  std::size_t forward_sums = 0;    ///< doubles that are summed over the batch before forward
  std::size_t backward_sums = 0;   ///< and before backward; in training passes only
  bool forward_in_place = false;   ///< forward may write y where x(0) lies
  bool backward_in_place = false;  ///< backward may write dx(0) where dy lies: then gradient() does
                                   ///< not read dy
  bool backward_reads_x = true;    ///< backward, or its sums
  bool backward_reads_y = true;
  bool gradient_reads_y = true;  ///< beside x, kept, and what backward left in dy
  bool passes_gradient = true;   ///< false: what it computes is a constant to training (a mask)
  bool draws = false;            ///< forward is random in training
  bool carries = false;          ///< forward begins where the batch before has ended
  bool adds_to_loss = false;     ///< the mean of y, a number of each sample, is a part of the loss:
                                 ///< there is no dy
};

/// What an op takes for integers: from 0 to below a limit.
struct Indices {
  std::int64_t limit;
  std::string layer;  ///< whose they are, for messages
};

/// y = x * scale + offset, in float32.
struct Scaling {
  float scale = 1;
  float offset = 0;
  bool changes_nothing() const { return scale == 1 && offset == 0; }
};

/// Where a buffer of some rows lies. Ranks of a host may share memory, a rank may keep rows for
/// itself, and a pass may go block by block: rows are counted from the first of each.
enum class Scope : std::uint8_t { kHost, kRank, kBlock };
inline constexpr std::size_t kScopes = 3;
struct BufferPlace {
  float* memory = nullptr;  ///< null: there is no such buffer
  std::int64_t columns = 0;
  Scope scope = Scope::kRank;
};
struct OpPlaces {
  std::vector<BufferPlace> x, dx;
  BufferPlace y, dy, kept;
  std::span<double> forward_sums, backward_sums;
};

/// The rows that a pass works on, counted from the first row of the host.
struct Rows {
  Range range;
  std::array<std::int64_t, kScopes> first;  ///< row of each scope
  std::int64_t batch_row = 0;               ///< position of the first one in the global batch
};

inline Matrix matrix_of(const BufferPlace& place, const Rows& rows) {
  if (place.memory == nullptr) return {};
  const std::int64_t row = rows.range.first - rows.first[static_cast<std::size_t>(place.scope)];
  return {place.memory + row * place.columns, rows.range.count(), place.columns};
}

/// The numbers that one op works on, of some rows. Matrices are (rows, elements of a sample).
class OpValues {
 public:
  OpValues(const OpPlaces& places, const Rows& rows) : places_(places), rows_(rows) {}
  /// The same numbers with each row's `steps` parts, of equal size, as so many rows.
  OpValues of_steps(std::int64_t steps) const {
    OpValues values = *this;
    values.steps_ *= steps;
    return values;
  }

  std::int64_t rows() const { return rows_.range.count() * steps_; }
  /// Position of the first row in the global batch.
  std::int64_t batch_row() const { return rows_.batch_row * steps_; }
  std::size_t inputs() const { return places_.x.size(); }

  ConstMatrix x(std::size_t input = 0) const { return matrix(places_.x[input]); }
  Matrix y() const { return matrix(places_.y); }
  Matrix dy() const { return matrix(places_.dy); }
  /// Empty if nobody needs it.
  Matrix dx(std::size_t input = 0) const { return matrix(places_.dx[input]); }
  Matrix kept() const { return matrix(places_.kept); }
  /// Sums over the whole batch.
  std::span<double> forward_sums() const { return places_.forward_sums; }
  std::span<double> backward_sums() const { return places_.backward_sums; }

 private:
  Matrix matrix(const BufferPlace& place) const {
    const Matrix rows = matrix_of(place, rows_);
    return {rows.data, rows.rows * steps_, rows.columns / steps_};
  }

  const OpPlaces& places_;
  const Rows& rows_;
  std::int64_t steps_ = 1;
};

/// One step of a forward or backward pass. It holds its configuration and views of parameters,
/// nothing of a batch. An op writes all of its results, and never adds to them; no result depends
/// on how rows are grouped.
class Op {
 public:
  virtual ~Op() = default;

  virtual Needs needs() const = 0;
  /// If that is all it does: then it may be left to whoever fills in the network's input.
  virtual std::optional<Scaling> scaling() const { return {}; }
  /// If x(0) must hold such: data for it can be checked before.
  virtual std::optional<Indices> indices() const { return {}; }
  /// Whether y is, for every number of x(0), the row of the one parameter that it names. Its
  /// gradient may then be taken row by row: see TouchedRows.
  virtual bool looks_up() const { return false; }
  /// The parameters that gradient() knows, by their numbers.
  virtual std::span<Parameter* const> parameters() const { return {}; }

  /// From x: y, and in training kept, too.
  virtual void forward(const Pass& pass, const OpValues& values) const = 0;
  /// From dy, and x and y if they are needed: every dx that is not empty. May change dy and kept,
  /// to leave there what gradient() reads.
  virtual void backward(const Pass& pass, const OpValues& values) const = 0;
  /// Some elements of the gradient by a parameter, of the rows that make up the subtrees, counted
  /// from the first row of `values`: partial i is written to out + i * subtrees.stride. Nothing
  /// random may be drawn here: what is needed of it is kept.
  virtual void gradient(const Pass& /*pass*/, const OpValues& /*values*/,
                        const Subtrees& /*subtrees*/, std::size_t /*parameter*/, Range /*elements*/,
                        float* /*out*/) const {}
  /// The columns of x(0) that gradient() reads for these elements.
  virtual Range gradient_columns(std::size_t /*parameter*/, Range /*elements*/,
                                 std::int64_t columns) const {
    return {0, columns};
  }

  /// Writes what the rows of one grain add to the forward sums (from x) or the backward sums (from
  /// dy and x).
  virtual void forward_sums(const Pass& /*pass*/, const OpValues& /*values*/,
                            std::span<double> /*sums*/) const {}
  virtual void backward_sums(const Pass& /*pass*/, const OpValues& /*values*/,
                             std::span<double> /*sums*/) const {}
  /// Updates parameters that are state, once in a training step, when the forward sums are known.
  /// Of ranks that share the parameters one calls it.
  virtual void update_state(const Pass& /*pass*/, std::span<const double> /*sums*/) const {}
};

}  // namespace lockstep
