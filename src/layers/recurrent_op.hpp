#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "src/core/random.hpp"
#include "src/graph/carried_state.hpp"
#include "src/graph/op.hpp"
#include "src/layers/recurrent_cell.hpp"

namespace lockstep {

struct RecurrentSetting {
  std::int64_t steps = 0;   ///< positions of the input
  std::int64_t inputs = 0;  ///< elements of each
  bool return_sequences = false;
  bool return_state = false;       ///< y ends with the states behind the last step
  bool go_backwards = false;       ///< steps go from the last position to the first
  bool in_input_order = false;     ///< of the outputs of a sequence; else in the order of the steps
  bool masked = false;             ///< x(1) is a mask: (steps) of each sample
  bool begins_with_state = false;  ///< the last inputs are the states before the first step
  bool zeros_for_mask = false;     ///< a masked step's output is 0, not that of the step before
  /// Of a stateful layer: where it begins, and what it leaves for the next batch. One for each
  /// state of the cell; null: not stateful.
  std::array<CarriedState*, 2> carried = {};
  double recurrent_dropout = 0;  ///< one mask for all steps
  Purpose purpose = Purpose::kRecurrentDropout;
  std::uint32_t key = 0;   ///< Layer::random_key()
  std::uint32_t part = 0;  ///< of RowRandom
};

/// A cell's steps, from a state of zeros, from given ones or from what the batch before has left.
/// x: (steps, inputs), y: (steps, units) or the last step's (units), then (units) for each state
/// that is returned, of each sample. Sums are one chain over the inputs, ascending, that goes on
/// over the state; a gradient by a state starts from zero and goes over the gates in the order of
/// their columns; gradients by parameters go, per grain, over samples, and in each over the
/// positions of the input, ascending, in whichever direction the steps went. So nothing depends on
/// how rows are grouped. A masked step leaves the state as it is, and its gradients by the sums are
/// 0, which leave the chains as they are.
std::unique_ptr<Op> make_recurrent_op(std::unique_ptr<const RecurrentCell> cell,
                                      const RecurrentSetting& setting);

}  // namespace lockstep
