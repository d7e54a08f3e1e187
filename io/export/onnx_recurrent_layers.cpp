#include <algorithm>
#include <limits>
#include <optional>

#include "io/export/onnx_graph.hpp"
#include "io/export/onnx_scan.hpp"

namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;

/// One of the functions that ONNX's cells know, with its constants.
struct CellFunction {
  std::string name;
  std::optional<float> alpha = {}, beta = {};  ///< of those alone that read one
};

/// None: ONNX's cells lack it.
std::optional<CellFunction> cell_function(Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return CellFunction{"Tanh"};
    case Activation::kSigmoid:
      return CellFunction{"Sigmoid"};
    case Activation::kRelu:
      return CellFunction{"Relu"};
    case Activation::kLinear:
      return CellFunction{"Affine", 1.0f, 0.0f};
    case Activation::kSoftsign:
      return CellFunction{"Softsign"};
    case Activation::kSoftplus:
      return CellFunction{"Softplus"};
    case Activation::kElu:
      return CellFunction{"Elu", 1.0f};
    case Activation::kLeakyRelu:
      return CellFunction{"LeakyRelu", 0.2f};
    case Activation::kHardSigmoid:
      return CellFunction{"HardSigmoid", 1.0f / 6, 0.5f};
    case Activation::kHardSigmoidKeras2:
      return CellFunction{"HardSigmoid", 0.2f, 0.5f};
    default:
      return {};
  }
}

/// ONNX's gates by the numbers of Keras's.
std::vector<std::size_t> gate_order(const std::string& kind) {
  if (kind == "LSTM") return {0, 3, 1, 2};
  if (kind == "GRU") return {0, 1, 2};
  return {0};
}

/// The functions of the gates, of the candidate, of an LSTM's output; empty if ONNX's cells lack
/// one.
std::vector<CellFunction> functions_of(const CellUse& cell) {
  std::vector<Activation> wanted = {cell.activation};
  if (cell.kind != "SimpleRNN") wanted.insert(wanted.begin(), cell.gate);
  if (cell.kind == "LSTM") wanted.push_back(cell.activation);
  std::vector<CellFunction> functions;
  for (const Activation activation : wanted) {
    const std::optional<CellFunction> function = cell_function(activation);
    if (!function) return {};
    functions.push_back(*function);
  }
  return functions;
}

void add_functions(const std::vector<CellFunction>& functions, OnnxGraph::Attributes& attributes) {
  std::vector<std::string> names;
  std::vector<float> alphas, betas;
  for (const CellFunction& function : functions) {
    names.push_back(function.name);
    if (function.alpha) alphas.push_back(*function.alpha);
    if (function.beta) betas.push_back(*function.beta);
  }
  attributes.push_back({"activations", names});
  if (!alphas.empty()) attributes.push_back({"activation_alpha", alphas});
  if (!betas.empty()) attributes.push_back({"activation_beta", betas});
}

std::string reversed(OnnxGraph& graph, const std::string& x) {
  constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();
  return graph.add("Slice", {x, graph.constant(Integers{-1}), graph.constant(Integers{kBeforeAll}),
                             graph.constant(Integers{1}), graph.constant(Integers{-1})});
}

/// ONNX's RNN, LSTM or GRU.
CellOutputs own_cell(OnnxGraph& graph, const CellRun& run,
                     const std::vector<CellFunction>& functions) {
  const CellUse& cell = run.cell;
  const std::vector<std::size_t> order = gate_order(cell.kind);
  const auto weight = [&](const Tensor& kernel) {
    Tensor tensor = kernel.transposed().with_blocks(order);
    tensor.shape.insert(tensor.shape.begin(), 1);
    return graph.constant(std::move(tensor));
  };
  OnnxInputs inputs = {graph.transposed(run.x, {1, 0, 2}), weight(cell.kernel),
                       weight(cell.recurrent_kernel), ""};
  if (cell.bias) {
    const bool two = cell.bias->shape.size() == 2;
    Tensor bias = (two ? cell.bias->at(0) : *cell.bias).with_blocks(order);
    const Tensor second = two ? cell.bias->at(1).with_blocks(order) : filled(bias.shape, 0);
    bias.values.insert(bias.values.end(), second.values.begin(), second.values.end());
    inputs[3] = graph.constant(bias.reshaped({1, 2 * bias.shape[0]}));
  }
  inputs.emplace_back("");  // lengths
  for (const std::string& state : run.states) inputs.push_back(graph.with_axes(state, {0}));
  while (inputs.back().empty()) inputs.pop_back();
  OnnxGraph::Attributes attributes = {
      {"hidden_size", cell.units()},
      {"direction", std::string(run.backward ? "reverse" : "forward")}};
  if (cell.kind == "GRU")
    attributes.push_back({"linear_before_reset", std::int64_t{cell.resets_after()}});
  add_functions(functions, attributes);
  const std::size_t states = cell.has_cell_state() ? 2 : 1;
  const std::vector<std::string> outputs =
      graph.add_several(cell.kind == "SimpleRNN" ? "RNN" : cell.kind, std::move(inputs), 1 + states,
                        std::move(attributes));
  const auto squeezed = [&](const std::string& x, std::int64_t axis) {
    return graph.add("Squeeze", {x, graph.constant(Integers{axis})});
  };
  CellOutputs result;
  for (std::size_t k = 1; k <= states; ++k) result.states.push_back(squeezed(outputs[k], 0));
  if (!run.sequences) {
    result.y = result.states.front();
    return result;
  }
  result.y = graph.transposed(squeezed(outputs[0], 1), {1, 0, 2});
  if (run.backward && !run.in_input_order) result.y = reversed(graph, result.y);
  return result;
}

OnnxOutputs recurrent(OnnxGraph& graph, const LayerUse& use, const OnnxInputs& x) {
  const RecurrentOutputs outputs = over_all_cells(use, x, [&](const CellRun& run) {
    if (run.cell.is_convolution() || run.mask != nullptr) return onnx_scan(graph, use, run);
    const std::vector<CellFunction> functions = functions_of(run.cell);
    return functions.empty() ? onnx_scan(graph, use, run) : own_cell(graph, run, functions);
  });
  std::vector<std::string> all = {outputs.directions[0]};
  if (outputs.directions.size() > 1) {
    const std::string merge = use.text_of("merge_mode");
    if (merge == "concat")
      all[0] = graph.add("Concat", outputs.directions, {{"axis", std::int64_t{-1}}});
    else
      all[0] = graph.add(merge == "mul" ? "Mul" : "Add", outputs.directions);
    if (merge == "ave") all[0] = graph.add("Mul", {all[0], graph.constant(0.5f)});
  }
  all.insert(all.end(), outputs.states.begin(), outputs.states.end());
  return all;
}

}  // namespace

OnnxEmits onnx_recurrent_layers() {
  return {{"SimpleRNN", recurrent},  {"LSTM", recurrent},         {"GRU", recurrent},
          {"RNN", recurrent},        {"ConvLSTM1D", recurrent},   {"ConvLSTM2D", recurrent},
          {"ConvLSTM3D", recurrent}, {"Bidirectional", recurrent}};
}

}  // namespace lockstep
