#include "io/export/torch_export.hpp"

#include <fmt/ranges.h>

#include <cctype>

#include "io/export/network_writer.hpp"
#include "io/export/torch_code.hpp"
#include "io/export/torch_functions.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

const TorchEmits& all_emits() {
  static const TorchEmits emits = [] {
    TorchEmits all;
    for (const TorchEmits& some :
         {torch_plain_layers(), torch_position_layers(), torch_normalizations(),
          torch_recurrent_layers(), torch_attention_layers(), torch_embeddings()})
      all.insert(some.begin(), some.end());
    return all;
  }();
  return emits;
}

class TorchWriter final : public NetworkWriter {
 public:
  explicit TorchWriter(TorchCode& code) : code_(code) {}

 private:
  /// The layer's outputs for its inputs as they are, whatever its data_format.
  Names write_layer(const LayerUse& use, const Names& inputs) override {
    const bool first = use.layer.channels_first();
    Names x = inputs;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (first && use.inputs[i].size() > 1) x[i] = code_.assign(x[i] + ".movedim(1, -1)");
    const auto emit = all_emits().find(use.layer.class_name());
    check(emit != all_emits().end(), ExitCode::kBadData,
          "[{}] expected a layer with a counterpart in PyTorch, got {}",
          printable(use.layer.name()), use.layer.class_name());
    Names y = emit->second(code_, use, x).expressions;
    if (first && use.output.size() > 1) y[0] = code_.assign(y[0]) + ".movedim(-1, 1)";
    for (std::string& expression : y) expression = code_.assign(expression);
    return y;
  }
  std::string reshaped(const std::string& x, const Shape& shape) override {
    Shape all = shape;
    all.insert(all.begin(), -1);
    return code_.assign(fmt::format("{}.reshape({})", x, fmt::join(all, ", ")));
  }
  std::string merged(const std::string& kind, const std::string& a, const std::string& b) override {
    if (kind == "Multiply") return code_.assign(fmt::format("{} * {}", a, b));
    return code_.assign(
        fmt::format("torch.{}({}, {})", kind == "Maximum" ? "maximum" : "minimum", a, b));
  }
  std::string chosen(const std::string& mask, const std::string& value,
                     const std::string& other) override {
    return code_.assign(fmt::format("torch.where({}.unsqueeze(-1), {}, {})", mask, value, other));
  }
  std::string filled(const std::string& mask, const std::string& value, float other) override {
    return chosen(mask, value, fmt::format("{:.1f}", other));
  }
  std::string differing(const std::string& x, double value) override {
    return code_.assign(fmt::format("{} != {}", x, static_cast<float>(value)));
  }
  std::string any_of_last_axis(const std::string& mask) override {
    return code_.assign(fmt::format("{}.any(-1)", mask));
  }
  std::string either(const std::string& a, const std::string& b) override {
    return code_.assign(fmt::format("{} | {}", a, b));
  }
  std::string joined(const Names& masks, std::int64_t axis) override {
    return code_.assign(fmt::format("torch.cat([{}], {})", fmt::join(masks, ", "), axis));
  }
  std::string all_true(const std::string& x, const Shape&) override {
    return code_.assign(fmt::format("torch.ones_like({}[..., 0], dtype=torch.bool)", x));
  }

  TorchCode& code_;
};

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
      "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n",
      harmless(model.name()), class_name, harmless(state_dict));
  for (const std::string& function : code.functions())
    text += fmt::format("{}\n\n", torch_function(function));
  text += fmt::format(
      "class {}(nn.Module):\n"
      "    \"\"\"From {} to {}.\"\"\"\n\n"
      "    def __init__(self):\n        super().__init__()\n",
      class_name, to_string_batched(model.input_shape()), to_string_batched(model.output_shape()));
  for (const std::string& line : code.init()) text += "        " + line + "\n";
  text += "\n    def forward(self, x):\n";
  for (const std::string& line : code.forward(result)) text += "        " + line + "\n";
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

bool torch_knows(const std::string& class_name) {
  return all_emits().contains(class_name);
}

namespace {

/// Returns the expression of the result.
std::string write_all(const Network& model, TorchCode& code) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  return TorchWriter(code).write(model, "x");
}

}  // namespace

TorchExport export_to_torch(const Network& model, const std::string& state_dict_name) {
  TorchCode code;
  const std::string result = write_all(model, code);
  return {safetensors(code.tensors()),
          python_of(code, model, class_name_of(model.name()), state_dict_name, result)};
}

std::vector<NamedTensor> torch_tensors(const Network& model) {
  TorchCode code;
  write_all(model, code);
  return code.tensors();
}

}  // namespace lockstep
