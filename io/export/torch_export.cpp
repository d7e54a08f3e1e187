#include "io/export/torch_export.hpp"

#include <fmt/ranges.h>

#include <cctype>

#include "io/export/torch_code.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"

namespace lockstep {
namespace {

const TorchEmits& all_emits() {
  static const TorchEmits emits = [] {
    TorchEmits all;
    for (const TorchEmits& some : {torch_plain_layers(), torch_position_layers(),
                                   torch_normalizations(), torch_sequence_layers()})
      all.insert(some.begin(), some.end());
    return all;
  }();
  return emits;
}

/// The layer's expression for its inputs as they are, whatever its data_format.
std::string emitted(TorchCode& code, const LayerUse& use, TorchInputs x) {
  const bool first = use.layer.channels_first();
  for (std::size_t i = 0; i < x.size(); ++i)
    if (first && use.inputs[i].size() > 1) x[i] = code.assign(x[i] + ".movedim(1, -1)");
  const auto emit = all_emits().find(use.layer.class_name());
  check(emit != all_emits().end(), ExitCode::kBadData,
        "[{}] expected a layer with a counterpart in PyTorch, got {}", printable(use.layer.name()),
        use.layer.class_name());
  const std::string y = emit->second(code, use, x);
  return first && use.output.size() > 1 ? code.assign(y) + ".movedim(-1, 1)" : y;
}

/// What cannot end a string of Python, nor mean anything in it.
std::string harmless(std::string text) {
  for (char& letter : text)
    if (!std::isalnum(static_cast<unsigned char>(letter)) &&
        std::string_view("_.- ").find(letter) == std::string_view::npos)
      letter = '_';
  return text;
}

std::string python_of(const TorchCode& code, const Network& model, const std::string& class_name,
                      const std::string& state_dict, const std::string& result) {
  std::string text = fmt::format(
      "\"\"\"The network {} as a module of PyTorch, written by lockstep export.\n\n"
      "    from safetensors.torch import load_file\n"
      "    network = {}()\n"
      "    network.load_state_dict(load_file(\"{}\"))\n"
      "    network.eval()\n"
      "\"\"\"\n"
      "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
      "class {}(nn.Module):\n"
      "    \"\"\"From {} to {}.\"\"\"\n\n"
      "    def __init__(self):\n        super().__init__()\n",
      harmless(model.name()), class_name, harmless(state_dict), class_name,
      to_string_batched(model.input_shape()), to_string_batched(model.output_shape()));
  for (const std::string& line : code.init()) text += "        " + line + "\n";
  text += "\n    def forward(self, x):\n";
  for (const std::string& line : code.forward()) text += "        " + line + "\n";
  return text + "        return " + result + "\n";
}

std::string class_name_of(const std::string& name) {
  std::string result;
  bool begins = true;
  for (const char letter : name) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte)) result += begins ? static_cast<char>(std::toupper(byte)) : letter;
    begins = !std::isalnum(byte);
  }
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0])))
    return "Network" + result;
  const bool is_taken = result == "F" || result == "None" || result == "True" || result == "False";
  return is_taken ? result + "Network" : result;
}

}  // namespace

namespace {

/// Writes all layers; returns the expression of the result.
std::string emit_all(const Network& model, TorchCode& code) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  Problems problems;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < model.calls().size(); ++i) {
    const LayerUse use(model, i);
    TorchInputs x;
    for (const Network::Output& input : model.calls()[i].inputs) x.push_back(values[input.call]);
    if (x.empty()) x = {"x"};
    try {
      refuse_masks_and_states(model, i);
      const std::string y = emitted(code, use, x);
      values.push_back(y == x[0] ? y : code.assign(y));
    } catch (const Error& error) {
      problems.add(fmt::format("[{}]", printable(use.layer.name())), without_where(error));
      values.emplace_back("x");
    }
  }
  problems.throw_if_any(ExitCode::kBadData);
  return values[model.outputs().front().call];
}

}  // namespace

TorchExport export_to_torch(const Network& model, const std::string& state_dict_name) {
  TorchCode code;
  const std::string result = emit_all(model, code);
  return {safetensors(code.tensors()),
          python_of(code, model, class_name_of(model.name()), state_dict_name, result)};
}

std::vector<NamedTensor> torch_tensors(const Network& model) {
  TorchCode code;
  emit_all(model, code);
  return code.tensors();
}

}  // namespace lockstep
