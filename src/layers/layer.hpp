#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "src/activations/activation.hpp"
#include "src/core/grain_tree.hpp"
#include "src/core/matrix.hpp"
#include "src/core/numerics.hpp"
#include "src/core/shape.hpp"
#include "src/parameters/parameter.hpp"

namespace lockstep {

/// What a pass over a batch needs to know beyond the numbers. Everything random is a function of
/// these values, never of the rank.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;
  std::int64_t step = 0;         ///< optimizer steps done before this one
  std::int64_t first_row = 0;    ///< position of row 0 in the global batch
  bool input_is_scaled = false;  ///< by Sequential::input_scaling()
  Numerics numerics = Numerics::kExact;
  Subtrees subtrees = {};  ///< what gradients are summed over
};

/// A layer holds configuration and views of its parameters, nothing of a batch: activations and
/// what `forward` keeps for `backward` live in the Workspace. All tensors are (rows, features).
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string class_name() const = 0;  ///< Keras's: "Dense"
  /// Checks the input shape (without the batch axis), creates the parameters, returns the output
  /// shape. Called once. Throws Error (65): "[dense] expected ..., got ...".
  virtual Shape build(const Shape& input) = 0;

  /// y = layer(x). `kept` has kept_per_row() floats a row, for backward. Layers with
  /// passes_through() are not called.
  virtual void forward(const Pass& pass, ConstMatrix x, Matrix y, std::span<float> kept) const = 0;
  /// From dy: dx, unless it is empty. Leaves in dy what gradient() needs.
  virtual void backward(const Pass& pass, ConstMatrix x, ConstMatrix y, Matrix dy, Matrix dx,
                        std::span<const float> kept) const = 0;
  /// From x and what backward left in dy, of the rows that make up pass.subtrees: some elements of
  /// the gradient by a parameter. Partial i is written to out + i * pass.subtrees.stride.
  virtual void gradient(const Pass& /*pass*/, ConstMatrix /*x*/, ConstMatrix /*dy*/,
                        std::size_t /*parameter*/, Range /*elements*/, float* /*out*/) const {}

  /// The columns of x that gradient() reads for these elements.
  virtual Range gradient_columns(std::size_t /*parameter*/, Range /*elements*/,
                                 std::int64_t columns) const {
    return {0, columns};
  }

  /// Floats a row that forward keeps for backward beside x and y. After build().
  virtual std::int64_t kept_per_row() const { return 0; }
  /// The output is the input under another shape: nothing is computed or copied.
  virtual bool passes_through() const { return false; }

  /// Keras 2's config without name, trainable and dtype, in Keras's order of keys.
  virtual nlohmann::ordered_json config() const = 0;

  /// The activation that ends this layer, which a loss may take over (see Loss::fuses).
  virtual Activation final_activation() const { return Activation::kLinear; }
  /// From now on leave the final activation out, forward and backward: the loss does it.
  virtual void leave_activation_to_loss(bool) {}

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) { trainable_ = trainable; }  ///< Before build().
  /// Position among the layers that compute something; keys the layer's random numbers. (An
  /// InputLayer or Flatten more or less changes nothing.)
  void set_index(std::int64_t index) { index_ = index; }
  std::int64_t index() const { return index_; }

  /// In Keras's order: kernel, bias.
  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }

 protected:
  std::vector<Parameter> parameters_;

 private:
  std::string name_;
  bool trainable_ = true;
  std::int64_t index_ = 0;
};

}  // namespace lockstep
