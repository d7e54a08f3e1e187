#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/export/layer_use.hpp"
#include "io/export/tensor.hpp"

namespace lockstep {

/// A recurrent cell as exporters see it.
struct CellUse {
  std::string kind;  ///< "SimpleRNN", "LSTM", "GRU" or "ConvLSTM2D"
  std::string part;  ///< what follows the layer's name, if it has several: "__forward"
  nlohmann::ordered_json config;
  Activation activation = Activation::kLinear,
             gate = Activation::kLinear;  ///< Keras's activation and recurrent_activation
  Tensor kernel = {}, recurrent_kernel = {};
  std::optional<Tensor> bias = {};

  /// Units of the state, or filters.
  std::int64_t units() const { return config.at(is_convolution() ? "filters" : "units"); }
  bool is_convolution() const { return kind.starts_with("ConvLSTM"); }
  bool has_cell_state() const { return kind == "LSTM" || is_convolution(); }
  bool resets_after() const { return config.value("reset_after", false); }
};

/// A cell that goes over all steps of x: (N, steps, ...). What comes out: recurrent_op.hpp.
struct CellRun {
  const CellUse& cell;
  bool backward = false;
  bool in_input_order = false;  ///< of the outputs of a sequence; else in the order of the steps
  bool sequences = false;       ///< all outputs, else the last one
  bool zeros_for_mask = false;
  const ExportMask* mask = nullptr;
  std::span<const std::string> states = {};  ///< that it begins with; none: zeros
  std::string x;
};
/// The output, and the states behind the last step.
struct CellOutputs {
  std::string y;
  std::vector<std::string> states;
};

/// What a recurrent layer writes of its cells, each by `run`.
struct RecurrentOutputs {
  std::vector<std::string> directions;  ///< the output of each, one or two
  std::vector<std::string> states;      ///< that the layer returns
};
RecurrentOutputs over_all_cells(const LayerUse& use, const std::vector<std::string>& x,
                                const std::function<CellOutputs(const CellRun&)>& run);

}  // namespace lockstep
