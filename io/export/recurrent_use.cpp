#include "io/export/recurrent_use.hpp"

#include <utility>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

/// A stack of cells that goes over the steps; most have one.
struct Direction {
  std::vector<CellUse> cells;
  ordered_json config;
};

/// Takes the layer's parameters and activations one after the other: they stand in the order of its
/// cells.
class CellReader {
 public:
  explicit CellReader(const LayerUse& use)
      : parameters_(use.layer.parameters()), activations_(use.layer.activations()) {}

  /// Of a layer, or an RNN's cell, in the form of Keras's JSON.
  Direction direction(const ordered_json& json, const std::string& part) {
    Direction direction{{}, json.at("config")};
    if (json.at("class_name") == "RNN")
      add_cells(direction.config.at("cell"), part, direction.cells);
    else
      add_cells(json, part, direction.cells);
    return direction;
  }

 private:
  void add_cells(const ordered_json& json, const std::string& part, std::vector<CellUse>& cells) {
    std::string kind = json.at("class_name");
    const ordered_json& config = json.at("config");
    if (kind == "StackedRNNCells") {
      std::size_t number = 0;
      for (const ordered_json& cell : config.at("cells"))
        add_cells(cell, fmt::format("{}__cell_{}", part, number++), cells);
      return;
    }
    if (kind.ends_with("Cell")) kind.resize(kind.size() - 4);
    CellUse cell{.kind = kind, .part = part, .config = config};
    cell.activation = activations_[next_activation_++];
    cell.gate = kind == "SimpleRNN" ? Activation::kLinear : activations_[next_activation_++];
    cell.kernel = tensor_of(parameters_[next_++]);
    cell.recurrent_kernel = tensor_of(parameters_[next_++]);
    if (config.at("use_bias").get<bool>()) cell.bias = tensor_of(parameters_[next_++]);
    cells.push_back(std::move(cell));
  }

  ParameterList parameters_;
  std::vector<Activation> activations_;
  std::size_t next_ = 0, next_activation_ = 0;
};

std::size_t states_of(const CellUse& cell) {
  return cell.has_cell_state() ? 2 : 1;
}

std::vector<Direction> directions_of(const LayerUse& use) {
  CellReader reader(use);
  if (use.layer.class_name() != "Bidirectional")
    return {reader.direction({{"class_name", use.layer.class_name()}, {"config", use.config}}, "")};
  const ordered_json& forward = use.config.at("layer");
  const ordered_json& backward =
      use.config.contains("backward_layer") ? use.config.at("backward_layer") : forward;
  std::vector<Direction> both = {reader.direction(forward, "__forward")};
  both.push_back(reader.direction(backward, "__backward"));
  return both;
}

}  // namespace

/// As Rnn::add_ops() and Bidirectional::lower_all().
RecurrentOutputs over_all_cells(const LayerUse& use, const std::vector<std::string>& x,
                                const std::function<CellOutputs(const CellRun&)>& run) {
  const std::vector<Direction> directions = directions_of(use);
  const bool both = directions.size() > 1;
  std::span<const std::string> states = std::span(x).subspan(1);
  RecurrentOutputs outputs;
  for (const auto& [cells, config] : directions) {
    const bool sequences = config.value("return_sequences", false);
    const bool second = !outputs.directions.empty();
    CellOutputs behind{x[0], {}};
    for (const CellUse& cell : cells) {
      const bool last = &cell == &cells.back();
      const std::size_t of_cell = states.empty() ? 0 : states_of(cell);
      const CellOutputs its =
          run({.cell = cell,
               .backward = both ? second : config.value("go_backwards", false),
               .in_input_order = !last || both,
               .sequences = !last || sequences,
               .zeros_for_mask =
                   last && (both ? sequences : config.value("zero_output_for_mask", false)),
               .mask = use.masks[0] ? &*use.masks[0] : nullptr,
               .states = states.first(of_cell),
               .x = behind.y});
      states = states.subspan(of_cell);
      behind.y = its.y;
      behind.states.insert(behind.states.end(), its.states.begin(), its.states.end());
    }
    outputs.directions.push_back(behind.y);
    if (config.value("return_state", false))
      outputs.states.insert(outputs.states.end(), behind.states.begin(), behind.states.end());
  }
  return outputs;
}

}  // namespace lockstep
