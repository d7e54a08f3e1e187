#include <fmt/ranges.h>

#include <algorithm>

#include "io/export/recurrent_use.hpp"
#include "io/export/torch_code.hpp"

namespace lockstep {
namespace {

struct Gates {
  const char* module;
  std::vector<std::size_t> order;  ///< PyTorch's gates by the numbers of Keras's
};

Gates gates_of(const CellUse& cell) {
  if (cell.kind == "LSTM") return {"nn.LSTM", {0, 1, 2, 3}};
  if (cell.kind == "GRU") return {"nn.GRU", {1, 0, 2}};
  return {"nn.RNN", {0}};
}

/// PyTorch's own module computes the same.
bool is_of_torch(const CellRun& run) {
  const CellUse& cell = run.cell;
  if (run.mask != nullptr) return false;
  if (cell.kind == "SimpleRNN" && cell.activation == Activation::kRelu) return true;
  return cell.activation == Activation::kTanh &&
         (cell.kind == "SimpleRNN" || cell.gate == Activation::kSigmoid) &&
         (cell.kind != "GRU" || cell.resets_after());
}

/// nn.RNN, nn.LSTM or nn.GRU, which has the weights whether or not it computes.
std::string module_of(TorchCode& code, const LayerUse& use, const CellUse& cell) {
  const Gates gates = gates_of(cell);
  const auto weight = [&](const Tensor& kernel) {
    return kernel.transposed().with_blocks(gates.order);
  };
  std::vector<NamedTensor> tensors = {{"weight_ih_l0", weight(cell.kernel)},
                                      {"weight_hh_l0", weight(cell.recurrent_kernel)}};
  if (cell.bias) {
    const bool two = cell.bias->shape.size() == 2;
    const Tensor input = (two ? cell.bias->at(0) : *cell.bias).with_blocks(gates.order);
    tensors.push_back({"bias_ih_l0", input});
    tensors.push_back(
        {"bias_hh_l0", two ? cell.bias->at(1).with_blocks(gates.order) : filled(input.shape, 0)});
  }
  const bool relu = cell.kind == "SimpleRNN" && cell.activation == Activation::kRelu;
  return code.module(
      code.name_of(use) + cell.part,
      fmt::format("{}({}, {}, batch_first=True, bias={}{})", gates.module, cell.kernel.shape[0],
                  cell.units(), torch_bool(cell.bias.has_value()),
                  relu ? ", nonlinearity=\"relu\"" : ""),
      std::move(tensors));
}

CellOutputs by_module(TorchCode& code, const CellRun& run, const std::string& module) {
  const bool two = run.cell.has_cell_state();
  std::string states;
  if (!run.states.empty())
    states = two ? fmt::format(", ({}.unsqueeze(0), {}.unsqueeze(0))", run.states[0], run.states[1])
                 : fmt::format(", {}.unsqueeze(0)", run.states[0]);
  const std::string all =
      code.assign(fmt::format("{}({}{}{})", module, run.x, run.backward ? ".flip(1)" : "", states));
  if (two) return {all + "[0]", {all + "[1][0][0]", all + "[1][1][0]"}};
  return {all + "[0]", {all + "[1][0]"}};
}

std::string function_of(Activation activation) {
  const std::string of_z = torch_activation(ActivationFunction(activation), "z");
  const std::size_t bracket = of_z.find('(');
  if (bracket > 0 && bracket != std::string::npos && of_z.substr(bracket) == "(z)")
    return of_z.substr(0, bracket);
  return "lambda z: " + of_z;
}

/// What makes a step, by what the recurrent kernel makes of the state.
std::string step_of(TorchCode& code, const CellUse& cell, const std::string& module) {
  if (cell.is_convolution())
    return fmt::format("{}({}, {}, {})", code.function("lstm_step"), module,
                       function_of(cell.activation), function_of(cell.gate));
  const auto linear = [&](const std::string& rows) {
    return fmt::format("lambda h: F.linear(h, {0}.weight_hh_l0{1}{2})", module, rows,
                       cell.bias ? fmt::format(", {}.bias_hh_l0{}", module, rows) : "");
  };
  if (cell.kind == "SimpleRNN")
    return fmt::format("{}({}, {})", code.function("simple_rnn_step"), linear(""),
                       function_of(cell.activation));
  const std::string functions =
      fmt::format("{}, {}", function_of(cell.activation), function_of(cell.gate));
  if (cell.kind == "LSTM")
    return fmt::format("{}({}, {})", code.function("lstm_step"), linear(""), functions);
  if (cell.resets_after())
    return fmt::format("{}({}, {})", code.function("gru_step"), linear(""), functions);
  const std::int64_t gates = 2 * cell.units();
  return fmt::format("{}({}, {}, {})", code.function("gru_reset_before_step"),
                     linear(fmt::format("[:{}]", gates)), linear(fmt::format("[{}:]", gates)),
                     functions);
}

/// The convolutions of a ConvLSTM: of the recurrent kernel, and of the kernel over all steps of x.
std::pair<std::string, std::string> convolved(TorchCode& code, const LayerUse& use,
                                              const CellUse& cell, const std::string& x) {
  const std::string name = code.name_of(use) + cell.part;
  const Shape of_step(use.inputs[0].begin() + 1, use.inputs[0].end());
  const Shape size = cell.config.at("kernel_size"), strides = cell.config.at("strides"),
              dilation = cell.config.at("dilation_rate");
  std::vector<NamedTensor> tensors = {{"weight", kernel_in_front(cell.kernel)}};
  if (cell.bias) tensors.push_back({"bias", *cell.bias});
  const std::string input = code.module(
      name + "__input",
      fmt::format("nn.Conv{}d({}, {}, {}, stride={}, dilation={}, bias={})", size.size(),
                  of_step.back(), 4 * cell.units(), torch_tuple(size), torch_tuple(strides),
                  torch_tuple(dilation), torch_bool(cell.bias.has_value())),
      std::move(tensors));
  const std::string recurrent =
      code.module(name + "__recurrent",
                  fmt::format("nn.Conv{}d({}, {}, {}, padding=\"same\", bias=False)", size.size(),
                              cell.units(), 4 * cell.units(), torch_tuple(size)),
                  {{"weight", kernel_in_front(cell.recurrent_kernel)}});
  const auto margins = window_margins(cell.config.at("padding").get<std::string>(), of_step, size,
                                      strides, dilation);
  const std::string steps = code.assign(fmt::format(
      "{}({}).unflatten(0, (-1, {}))", input,
      torch_padded(fmt::format("{}.flatten(0, 1).movedim(-1, 1)", x), margins), use.inputs[0][0]));
  return {recurrent, steps};
}

/// The mask with an axis for the units: (N, steps, 1 ...) or (N, steps, 1, positions ...).
std::string spread(const ExportMask& mask, std::size_t positions) {
  std::string text = mask.name + ".unsqueeze(2)";
  for (std::size_t axis = 0; mask.shape.size() == 1 && axis < positions; ++axis)
    text += ".unsqueeze(-1)";
  return text;
}

CellOutputs by_steps(TorchCode& code, const LayerUse& use, const CellRun& run) {
  const CellUse& cell = run.cell;
  std::string recurrent, x;
  Shape state = {cell.units()};
  if (cell.is_convolution()) {
    std::tie(recurrent, x) = convolved(code, use, cell, run.x);
    state.insert(state.end(), use.output.begin() + (run.sequences ? 1 : 0), use.output.end() - 1);
  } else {
    recurrent = module_of(code, use, cell);
    const std::string bias = cell.bias ? fmt::format(", {}.bias_ih_l0", recurrent) : "";
    x = code.assign(fmt::format("F.linear({}, {}.weight_ih_l0{})", run.x, recurrent, bias));
  }
  std::vector<std::string> states(run.states.begin(), run.states.end());
  if (states.empty())
    states.assign(
        cell.has_cell_state() ? 2 : 1,
        code.assign(fmt::format("{0}.new_zeros({0}.shape[0], {1})", x, fmt::join(state, ", "))));
  std::string options;
  if (run.mask != nullptr) options = ", " + spread(*run.mask, state.size() - 1);
  if (run.backward) options += ", backward=True";
  if (run.mask != nullptr && run.zeros_for_mask) options += ", zeros=True";
  const std::string all = code.assign(fmt::format(
      "{}({}, {}, ({}{}){})", code.function("over_steps"), step_of(code, cell, recurrent), x,
      fmt::join(states, ", "), states.size() == 1 ? "," : "", options));
  CellOutputs outputs{all + "[0]", {}};
  for (std::size_t k = 0; k < states.size(); ++k)
    outputs.states.push_back(fmt::format("{}[1][{}]", all, k));
  return outputs;
}

TorchOutputs recurrent(TorchCode& code, const LayerUse& use, const TorchInputs& x) {
  const RecurrentOutputs outputs = over_all_cells(use, x, [&](const CellRun& run) {
    CellOutputs its = !run.cell.is_convolution() && is_of_torch(run)
                          ? by_module(code, run, module_of(code, use, run.cell))
                          : by_steps(code, use, run);
    if (!run.sequences) its.y += "[:, -1]";
    if (run.sequences && run.backward && run.in_input_order) its.y += ".flip(1)";
    if (run.cell.is_convolution()) its.y += fmt::format(".movedim({}, -1)", run.sequences ? 2 : 1);
    its.y = code.assign(its.y);
    return its;
  });
  std::vector<std::string> all = {outputs.directions[0]};
  if (outputs.directions.size() > 1) {
    const std::string& one = outputs.directions[0];
    const std::string& other = outputs.directions[1];
    const std::string merge = use.text_of("merge_mode");
    all[0] = merge == "concat" ? fmt::format("torch.cat([{}, {}], -1)", one, other)
             : merge == "mul"  ? fmt::format("{} * {}", one, other)
             : merge == "sum"  ? fmt::format("{} + {}", one, other)
                               : fmt::format("({} + {}) / 2", one, other);
  }
  all.insert(all.end(), outputs.states.begin(), outputs.states.end());
  return all;
}

}  // namespace

TorchEmits torch_recurrent_layers() {
  return {{"SimpleRNN", recurrent},  {"LSTM", recurrent},         {"GRU", recurrent},
          {"RNN", recurrent},        {"ConvLSTM1D", recurrent},   {"ConvLSTM2D", recurrent},
          {"ConvLSTM3D", recurrent}, {"Bidirectional", recurrent}};
}

}  // namespace lockstep
