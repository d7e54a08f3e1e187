#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/core/float_buffer.hpp"
#include "src/core/range.hpp"
#include "src/core/shape.hpp"
#include "src/parameters/constraint.hpp"
#include "src/parameters/initializer.hpp"
#include "src/parameters/regularizer.hpp"

namespace lockstep {

/// State has no gradient: its layer updates it, once in a step (moving statistics).
enum class ParameterRole : std::uint8_t { kTrained, kFrozen, kState };

/// One weight tensor of a layer. The numbers live in the network's ParameterArena.
struct Parameter {
  std::string name;  ///< Keras's: "kernel", "bias"
  Shape shape;
  std::shared_ptr<const Initializer> initializer;
  Regularizer regularizer;
  Constraint constraint = {};
  ParameterRole role = ParameterRole::kTrained;
  bool trained() const { return role == ParameterRole::kTrained; }
  std::string scope = {};  ///< of Keras 2's name, between the layer's and this: "lstm_cell"
  std::string store = {};  ///< the group below the layer's in Keras 3's files: "cell"
  /// Keras 2's, below the layer's: "lstm_cell/kernel".
  std::string path() const { return scope.empty() ? name : scope + "/" + name; }

  std::int64_t offset = 0;      ///< of the first element, in floats from the start of the arena
  std::span<float> value = {};  ///< element_count(shape) floats, row-major

  /// The elements that lie within a range of the arena's floats.
  Range elements_within(Range floats) const;
};

/// All parameters of a network in one buffer, so that broadcast, update, hash and checkpoint are
/// loops over one span. Trained parameters come first, then frozen ones, then state, each in the
/// order of the layers; every tensor starts on a 64-byte boundary, and the gaps stay zero. Whoever
/// trains keeps gradients and optimizer slots in the same order.
class ParameterArena {
 public:
  ParameterArena() = default;
  /// Plans the offsets, allocates zeroed memory and sets the views of `parameters`, which must
  /// outlive the arena.
  explicit ParameterArena(std::vector<Parameter*> parameters);

  std::int64_t size() const { return size_; }                      ///< floats, gaps included
  std::int64_t trainable_size() const { return trainable_size_; }  ///< floats, gaps included
  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }

  /// From now on the parameters lie here: size() floats, which get nothing copied. Empty: in the
  /// arena's own memory again.
  void use_values(std::span<float> values);
  /// The arena's own memory, wherever the parameters lie.
  std::span<float> own_values() { return own_values_.span(); }

  /// In the order of the layers, whatever their roles.
  std::span<Parameter* const> parameters() const { return parameters_; }

 private:
  std::vector<Parameter*> parameters_;
  std::int64_t size_ = 0;
  std::int64_t trainable_size_ = 0;
  FloatBuffer own_values_;
  std::span<float> values_;
};

}  // namespace lockstep
