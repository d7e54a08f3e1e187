#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"
#include "src/graph/carried_state.hpp"
#include "src/graph/op.hpp"

namespace lockstep {

/// What layers are lowered to: ops over numbered values, in an order in which every op stands
/// behind those that it reads from. The order decides in which order gradients of a value with
/// several readers are added.
class Graph {
 public:
  /// One sample's shape, and whose memory it is: its own, or another value's under another shape.
  struct Value {
    Shape shape;
    std::size_t storage;
    std::optional<std::size_t> mask = {};  ///< Keras's, a value: see src/layers/mask_op.hpp
    bool dropped = false;                  ///< nothing reads it, and nothing computes it
  };
  struct Step {
    std::unique_ptr<Op> op;
    std::vector<std::size_t> inputs;  ///< values
    std::size_t output;
    bool inference = false;
  };
  // --- Lowering ---

  std::size_t add_input(Shape shape);
  /// The ops to come run as in inference, in training passes too.
  void set_inference(bool inference) { inference_ = inference; }
  bool inference() const { return inference_; }
  /// Whether the layer to come attends to earlier positions alone, if its call says so.
  void set_causal(std::optional<bool> causal) { causal_ = causal; }
  std::optional<bool> causal() const { return causal_; }
  /// Returns the op's output.
  std::size_t add(std::unique_ptr<Op> op, std::vector<std::size_t> inputs, Shape output);
  /// The value under another shape of as many elements: nothing is computed or copied.
  std::size_t reshape(std::size_t value, Shape shape);
  /// Adds an op right behind the one that computes `value`, which it reads.
  std::size_t add_behind(std::size_t value, std::unique_ptr<Op> op, Shape output);
  void set_mask(std::size_t value, std::optional<std::size_t> mask) { values_[value].mask = mask; }
  /// One more state of a stateful layer, which lives as long as the graph.
  CarriedState& carry(const std::string& layer, std::int64_t columns);
  /// The graph ends in these values and their masks, and in what is a part of the loss: ops that
  /// lead to none are dropped. A scaling that alone reads the input is left to whoever fills the
  /// input in: input_scaling().
  void finish(std::vector<std::size_t> outputs);
  /// For who goes on with them in another graph.
  std::vector<Step> take_steps() { return std::move(steps_); }

  // --- What there is ---

  const Shape& shape(std::size_t value) const { return values_[value].shape; }
  std::size_t storage(std::size_t value) const { return values_[value].storage; }
  std::optional<std::size_t> mask(std::size_t value) const { return values_[value].mask; }
  bool dropped(std::size_t value) const { return values_[value].dropped; }
  std::size_t values() const { return values_.size(); }
  const std::vector<Step>& steps() const { return steps_; }
  std::size_t ops() const { return steps_.size(); }
  const std::vector<std::size_t>& inputs() const { return inputs_; }
  const std::vector<std::size_t>& outputs() const { return outputs_; }
  std::size_t input() const { return inputs_.front(); }
  std::size_t output() const { return outputs_.front(); }
  const Scaling& input_scaling() const { return input_scaling_; }
  /// What stateful layers carry from batch to batch. They are no part of the graph's value: passes
  /// over a const graph change them.
  const std::vector<std::unique_ptr<CarriedState>>& states() const { return states_; }

  /// What ops that read the input as it is take it for.
  std::vector<Indices> input_indices() const;
  /// Doubles of the largest sum over the batch.
  std::size_t most_batch_sums() const;
  /// By storage: the ops that read it, ascending, each once for every time it stands there.
  struct Reader {
    std::size_t op;
    std::size_t input;
  };
  std::vector<std::vector<Reader>> readers() const;

 private:
  void drop_unread_ops();
  void leave_scaling_to_input();

  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<std::size_t> inputs_, outputs_;
  Scaling input_scaling_;
  std::vector<std::unique_ptr<CarriedState>> states_;
  bool inference_ = false;
  std::optional<bool> causal_;
};

}  // namespace lockstep
