#pragma once

#include <cstdint>
#include <memory>

#include "src/activations/activation.hpp"
#include "src/core/random.hpp"
#include "src/graph/op.hpp"
#include "src/kernels/convolution.hpp"

namespace lockstep {

/// Purpose and key of masks: of all gates of a layer, one for all steps.
struct GateMasks {
  double rate = 0;
  Purpose purpose = Purpose::kDropout;
  std::uint32_t key = 0;  ///< Layer::random_key()
};

struct ConvLstmSetting {
  std::int64_t steps = 0;
  /// From the state, of `filters` channels, to the four gates: as many positions. Its groups are 1,
  /// or 4 where each gate has a mask of the state; then it has 4 x filters input channels.
  ConvolutionShape recurrent = {};
  Activation activation = Activation::kTanh;
  Activation recurrent_activation = Activation::kSigmoid;
  bool return_sequences = false;
  bool go_backwards = false;    ///< steps go from the last position to the first
  bool in_input_order = false;  ///< of the outputs of a sequence; else in the order of the steps
  GateMasks masks = {};         ///< of the state that the kernel reads
  /// Of the mask of a step, behind x: 1, or that of each position; 0: there is none.
  std::int64_t mask_columns = 0;
  bool zeros_for_mask = false;  ///< the output of what is masked

  std::int64_t positions() const { return ConvolutionShape::product(recurrent.output); }
  std::int64_t filters() const { return recurrent.output_channels / 4; }
};

/// The steps of a convolutional LSTM (Shi et al., 2015), from a state of zeros, behind the
/// convolution of the input.  x: (steps, positions, 4 filters), the gates' sums i, f, c, o without
/// the state's part, y: (steps, positions, filters) or the last step's. In each step the chain of
/// the state's convolution is added to x. The gradient by a state starts from zero; that by the
/// kernel goes, per grain, over samples, in each over the input's steps, whichever direction they
/// went, and positions, ascending. Where a step is masked, state and output stay what they were.
std::unique_ptr<Op> make_conv_lstm_op(Parameter* recurrent_kernel, const ConvLstmSetting& setting);

/// x: (steps, elements) of which the last axis has `channels`, y: (steps, ..., 4 channels): for
/// each gate x times a mask of its own, which is the same for all steps; in inference x four times.
std::unique_ptr<Op> make_gate_dropout_op(std::int64_t steps, std::int64_t elements,
                                         std::int64_t channels, const GateMasks& masks);

}  // namespace lockstep
