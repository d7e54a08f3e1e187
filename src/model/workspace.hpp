#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/matrix.hpp"

namespace lockstep {

class Sequential;

/// The memory of one pass over at most `max_rows` rows: the output of every layer, the gradients by
/// them, and what layers keep from forward to backward. Planned once, so that a step allocates
/// nothing. One workspace serves one pass at a time.
class Workspace {
 public:
  enum class Use { kInference, kTraining };

  Workspace(const Sequential& model, std::int64_t max_rows, Use use);

  std::int64_t max_rows() const { return max_rows_; }
  /// The network's input for `rows` rows, to be filled by the caller: (rows, features).
  Matrix input(std::int64_t rows) { return view(0, rows); }
  /// The output of the last layer: (rows, features).
  Matrix output(std::int64_t rows) { return view(values_.size() - 1, rows); }
  /// The gradient by output(), to be filled by the loss. Training only.
  Matrix output_gradient(std::int64_t rows);

 private:
  friend class Sequential;
  struct Buffer {
    std::span<float> memory;
    std::int64_t columns = 0;
  };
  Matrix view(std::size_t boundary, std::int64_t rows) const;
  Matrix gradient(std::size_t boundary, std::int64_t rows) const;
  std::span<float> kept(std::size_t layer, std::int64_t rows) const;

  std::int64_t max_rows_;
  FloatBuffer memory_;
  // Boundary i lies before layer i; boundary 0 is the network's input.
  std::vector<Buffer> values_;
  std::vector<Buffer> gradients_;
  std::vector<Buffer> kept_;
};

}  // namespace lockstep
