#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/matrix.hpp"
#include "src/core/range.hpp"
#include "src/graph/workspace_plan.hpp"

namespace lockstep {

/// The memory of passes over a graph, planned once, so that a step allocates nothing. One pass at a
/// time works in it: what lies where changes in its course, but in Scope::kHost, where several
/// processes may work on rows of their own.
class Workspace {
 public:
  /// `host_memory`: host_floats() of them, from a 64-byte boundary, whose contents do not matter;
  /// empty: in memory of its own. With `own_input` the network's input lies in memory of its own.
  Workspace(const Graph& graph, const WorkspaceUse& use, std::span<float> host_memory = {},
            bool own_input = false);
  /// What ranks of a host share.
  static std::int64_t host_floats(const Graph& graph, const WorkspaceUse& use);
  /// What each of them has for itself.
  std::int64_t own_floats() const;

  /// From now on, rows are counted from the first of the host, of which this is the rank's first.
  void set_first_row(std::int64_t row) { first_row_ = row; }
  std::int64_t first_row() const { return first_row_; }

  /// The network's input of these rows, to be filled by the caller, scaled: (rows, features).
  Matrix input(Range rows, std::size_t which = 0) const {
    return matrix(places_of_inputs_[which], rows);
  }
  /// The output of the graph, or of the aim; if its last op is left to the loss, that works here.
  Matrix output(Range rows) const { return matrix(output_, rows); }
  /// Where the ops in use end.
  Matrix last_value(Range rows) const { return matrix(last_value_, rows); }
  /// The gradient by last_value(), to be filled by the loss. Empty if nothing is trained.
  Matrix output_gradient(Range rows) const { return matrix(output_gradient_, rows); }

  const OpPlaces& op(std::size_t i) const { return ops_[i]; }
  /// `rows` of the block that begins with row `block`.
  Rows rows(Range rows, std::int64_t block) const {
    return {rows, {0, first_row_, block}, rows.first - first_row_};
  }
  struct Sum {
    BufferPlace into;
    std::vector<BufferPlace> from;
  };
  const std::vector<Sum>& sums_after(std::size_t op) const { return sums_[op]; }
  bool has_backward(std::size_t op) const { return backward_[op]; }
  /// Whether forward has to do with op i.
  bool runs(std::size_t op) const { return runs_[op]; }
  /// Whether the loss works in output(), where an op would have.
  bool loss_takes_over() const { return loss_takes_over_; }
  const WorkspaceUse& use() const { return use_; }
  /// Of `rows` that are a block, or all.
  Matrix matrix(const BufferPlace& place, Range range) const {
    return matrix_of(place, rows(range, range.first));
  }

 private:
  WorkspaceUse use_;
  std::int64_t first_row_ = 0;
  std::array<FloatBuffer, kScopes> own_;
  FloatBuffer own_input_;
  std::vector<double> batch_sums_;
  std::vector<OpPlaces> ops_;
  std::vector<std::vector<Sum>> sums_;
  std::vector<bool> runs_, backward_;
  bool loss_takes_over_ = false;
  std::vector<BufferPlace> places_of_inputs_;
  BufferPlace output_, last_value_, output_gradient_;
};

}  // namespace lockstep
