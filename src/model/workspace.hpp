#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/matrix.hpp"
#include "src/core/range.hpp"

namespace lockstep {

class Sequential;

/// The memory of passes over at most `max_rows` rows: the output of every layer, the gradients by
/// them, and what layers keep from forward to backward. Planned once, so that a step allocates
/// nothing. Passes over disjoint ranges of its rows may run at the same time, also in several
/// processes that share the memory.
class Workspace {
 public:
  enum class Use { kInference, kTraining };

  /// In `memory`: floats() of them, from a 64-byte boundary, whose contents do not matter. With
  /// `own_input` the network's input lies in memory of the workspace's own.
  Workspace(const Sequential& model, std::int64_t max_rows, Use use, std::span<float> memory,
            bool own_input);
  /// In memory of its own.
  Workspace(const Sequential& model, std::int64_t max_rows, Use use);
  static std::int64_t floats(const Sequential& model, std::int64_t max_rows, Use use);

  /// The network's input of these rows, to be filled by the caller: (rows, features).
  Matrix input(Range rows) const { return view(0, rows); }
  /// The output of the last layer: (rows, features).
  Matrix output(Range rows) const { return view(values_.size() - 1, rows); }
  /// The gradient by output(), to be filled by the loss. Empty if nothing is trained.
  Matrix output_gradient(Range rows) const { return gradient(gradients_.size() - 1, rows); }

 private:
  friend class Sequential;
  struct Buffer {
    std::int64_t offset = 0;
    std::int64_t columns = 0;
    float* memory = nullptr;
  };
  struct Plan;
  Matrix rows_of(const Buffer& buffer, Range rows) const;
  Matrix view(std::size_t boundary, Range rows) const { return rows_of(values_[boundary], rows); }
  Matrix gradient(std::size_t boundary, Range rows) const {
    return rows_of(gradients_[boundary], rows);
  }
  std::span<float> kept(std::size_t layer, Range rows) const {
    return rows_of(kept_[layer], rows).flat();
  }

  FloatBuffer own_;
  // Boundary i lies before layer i; boundary 0 is the network's input.
  std::vector<Buffer> values_;
  std::vector<Buffer> gradients_;
  std::vector<Buffer> kept_;
};

}  // namespace lockstep
