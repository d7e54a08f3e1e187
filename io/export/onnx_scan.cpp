#include "io/export/onnx_scan.hpp"

#include <numeric>

namespace lockstep {
namespace {

using Integers = OnnxGraph::Integers;
using Names = std::vector<std::string>;

/// Writes the body of a Scan. Channels, the gates, are the second axis of all its values.
class Step {
 public:
  Step(OnnxGraph& graph, const CellUse& cell) : graph_(graph), cell_(cell) {}

  /// z: the sums over the step's input, with the bias. The states behind the step.
  Names behind(const std::string& z, const Names& states) const {
    if (cell_.kind == "GRU")
      return {cell_.resets_after() ? gru(z, states[0]) : gru_before(z, states[0])};
    const std::string sums = graph_.add("Add", {z, recurrent(states[0])});
    if (cell_.kind == "SimpleRNN") return {activated(cell_.activation, sums)};
    return lstm(graph_.add_several("Split", {sums}, 4, {{"axis", std::int64_t{1}}}), states[1]);
  }

 private:
  std::string activated(Activation activation, const std::string& x) const {
    return onnx_activation(graph_, ActivationFunction(activation), x);
  }
  std::string product(const std::string& a, const std::string& b) const {
    return graph_.add("Mul", {a, b});
  }
  std::string sum(const std::string& a, const std::string& b) const {
    return graph_.add("Add", {a, b});
  }
  /// Columns, in units of the state.
  std::string columns(const std::string& x, std::int64_t first, std::int64_t last) const {
    const std::int64_t units = cell_.units();
    return graph_.add("Slice",
                      {x, graph_.constant(Integers{first * units}),
                       graph_.constant(Integers{last * units}), graph_.constant(Integers{1})});
  }
  std::string recurrent(const std::string& h) const {
    const Tensor& kernel = cell_.recurrent_kernel;
    if (!cell_.is_convolution()) return graph_.add("MatMul", {h, graph_.constant(kernel)});
    const Shape size(kernel.shape.begin(), kernel.shape.end() - 2), ones(size.size(), 1);
    Integers pads;
    for (const std::int64_t extent : size) pads.push_back((extent - 1) / 2);
    for (const std::int64_t extent : size) pads.push_back(extent / 2);
    return graph_.add("Conv", {h, graph_.constant(kernel_in_front(kernel))},
                      {{"kernel_shape", size}, {"pads", pads}});
  }
  Names lstm(const Names& gates, const std::string& c) const {
    const std::string i = activated(cell_.gate, gates[0]), f = activated(cell_.gate, gates[1]),
                      g = activated(cell_.activation, gates[2]),
                      o = activated(cell_.gate, gates[3]);
    const std::string now = sum(product(f, c), product(i, g));
    return {product(o, activated(cell_.activation, now)), now};
  }
  std::string mixed(const std::string& z, const std::string& h, const std::string& sums) const {
    const std::string rest = graph_.add("Sub", {graph_.constant(1.0f), z});
    return sum(product(z, h), product(rest, activated(cell_.activation, sums)));
  }
  std::string gru(const std::string& x, const std::string& h) const {
    std::string own = recurrent(h);
    if (cell_.bias) own = sum(own, graph_.constant(cell_.bias->at(1)));
    const std::string gates = activated(cell_.gate, sum(columns(x, 0, 2), columns(own, 0, 2)));
    const std::string reset = product(columns(gates, 1, 2), columns(own, 2, 3));
    return mixed(columns(gates, 0, 1), h, sum(columns(x, 2, 3), reset));
  }
  std::string gru_before(const std::string& x, const std::string& h) const {
    const std::string kernel = graph_.constant(cell_.recurrent_kernel);
    const auto times = [&](const std::string& state, std::int64_t first, std::int64_t last) {
      return graph_.add("MatMul", {state, columns(kernel, first, last)});
    };
    const std::string gates = activated(cell_.gate, sum(columns(x, 0, 2), times(h, 0, 2)));
    const std::string reset = product(columns(gates, 1, 2), h);
    return mixed(columns(gates, 0, 1), h, sum(columns(x, 2, 3), times(reset, 2, 3)));
  }

  OnnxGraph& graph_;
  const CellUse& cell_;
};

/// What the kernel and the bias make of all steps: (N, steps, gates x units, positions ...).
std::string over_input(OnnxGraph& graph, const LayerUse& use, const CellUse& cell,
                       const Shape& positions, const std::string& x) {
  std::optional<Tensor> bias = cell.bias;
  if (bias && bias->shape.size() == 2) bias = bias->at(0);
  if (!cell.is_convolution()) return onnx_dense(graph, 2, cell.kernel, std::move(bias), x);
  const Shape of_step(use.inputs[0].begin() + 1, use.inputs[0].end());
  const Shape size = cell.config.at("kernel_size"), strides = cell.config.at("strides"),
              dilation = cell.config.at("dilation_rate");
  const auto margins = window_margins(cell.config.at("padding").get<std::string>(), of_step, size,
                                      strides, dilation);
  Integers pads;
  for (const Margin& margin : margins) pads.push_back(margin.before);
  for (const Margin& margin : margins) pads.push_back(margin.behind);
  OnnxInputs inputs = {graph.in_front(graph.reshaped(x, of_step), of_step.size()),
                       graph.constant(kernel_in_front(cell.kernel))};
  if (bias) inputs.push_back(graph.constant(std::move(*bias)));
  const std::string z = graph.add(
      "Conv", std::move(inputs),
      {{"kernel_shape", size}, {"strides", strides}, {"dilations", dilation}, {"pads", pads}});
  Shape all = {use.inputs[0][0], 4 * cell.units()};
  all.insert(all.end(), positions.begin(), positions.end());
  return graph.reshaped(z, all);
}

/// (N, steps, 1 ...) or (N, steps, 1, positions ...).
std::string spread(OnnxGraph& graph, const ExportMask& mask, std::size_t positions) {
  if (mask.shape.size() > 1) return graph.with_axes(mask.name, {2});
  Integers axes(1 + positions);
  std::iota(axes.begin(), axes.end(), std::int64_t{2});
  return graph.with_axes(mask.name, axes);
}

}  // namespace

CellOutputs onnx_scan(OnnxGraph& graph, const LayerUse& use, const CellRun& run) {
  const CellUse& cell = run.cell;
  Shape positions;
  if (cell.is_convolution())
    positions.assign(use.output.begin() + (run.sequences ? 1 : 0), use.output.end() - 1);
  const std::size_t states = cell.has_cell_state() ? 2 : 1;
  Shape state = {cell.units()};
  state.insert(state.end(), positions.begin(), positions.end());
  const std::string zeros = graph.for_each_row(filled(state, 0), run.x);
  Names inputs(run.states.begin(), run.states.end());
  if (inputs.empty()) inputs.assign(states, zeros);
  if (run.mask != nullptr) inputs.push_back(zeros);  // the output before the first step
  inputs.push_back(over_input(graph, use, cell, positions, run.x));
  if (run.mask != nullptr) inputs.push_back(spread(graph, *run.mask, positions.size()));

  graph.begin_body();
  Names before;
  while (before.size() < states) before.push_back(graph.body_input());
  const std::string output_before = run.mask != nullptr ? graph.body_input() : "";
  const std::string z = graph.body_input();
  Names behind = Step(graph, cell).behind(z, before);
  if (run.mask != nullptr) {
    const std::string counts = graph.body_input(true);
    const std::string other =
        run.zeros_for_mask ? graph.constant(0.0f) : graph.add("Identity", {output_before});
    const std::string output = graph.add("Where", {counts, behind[0], other});
    for (std::size_t k = 0; k < states; ++k)
      behind[k] = graph.add("Where", {counts, behind[k], before[k]});
    behind.push_back(output);
  }
  if (run.sequences) behind.push_back(graph.add("Identity", {behind[run.mask ? states : 0]}));
  const std::int64_t scanned = run.mask != nullptr ? 2 : 1, back = run.backward ? 1 : 0;
  OnnxGraph::Attributes attributes = {{"body", graph.end_body(behind)},
                                      {"num_scan_inputs", scanned},
                                      {"scan_input_axes", Integers(scanned, 1)},
                                      {"scan_input_directions", Integers(scanned, back)}};
  if (run.sequences) {
    attributes.push_back({"scan_output_axes", Integers{1}});
    attributes.push_back(
        {"scan_output_directions", Integers{run.backward && run.in_input_order ? 1 : 0}});
  }
  const Names outputs =
      graph.add_several("Scan", std::move(inputs), behind.size(), std::move(attributes));
  CellOutputs result{outputs[run.sequences ? outputs.size() - 1
                             : run.mask    ? states
                                           : 0],
                     {outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(states)}};
  if (cell.is_convolution()) {  // channels behind
    const std::int64_t axes = static_cast<std::int64_t>(positions.size()) + 2 + run.sequences;
    Integers order(static_cast<std::size_t>(axes));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const std::int64_t channels = run.sequences ? 2 : 1;
    order.erase(order.begin() + channels);
    order.push_back(channels);
    result.y = graph.transposed(result.y, order);
  }
  return result;
}

}  // namespace lockstep
