#include "io/export/torch_code.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "src/layers/activation_layer.hpp"

namespace lockstep {
namespace {

bool is_python_word(const std::string& name) {
  static const std::vector<std::string> words = {
      "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
      "else", "except", "False", "for", "finally", "from", "global", "if", "import", "in", "is",
      "None", "not", "or", "lambda", "nonlocal", "pass", "raise", "return", "True", "try", "while",
      "with", "yield",
      // What nn.Module has itself:
      "apply", "buffers", "children", "compile", "cpu", "cuda", "double", "eval", "float",
      "forward", "half", "modules", "parameters", "to", "train", "training", "type", "zero_grad"};
  return std::ranges::find(words, name) != words.end();
}

}  // namespace

std::string TorchCode::name_of(const LayerUse& use) {
  if (const auto known = names_.find(&use.layer); known != names_.end()) return known->second;
  std::string base = use.layer.name();
  for (char& letter : base)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  // Two of them stand between a layer's name and that of a part of it.
  base.erase(std::ranges::unique(base, [](char x, char y) { return x == '_' && y == '_'; }).begin(),
             base.end());
  if (base.size() > 1 && base.back() == '_') base.pop_back();
  if (use.within != nullptr) base = name_of(*use.within) + "__" + base;
  if (std::isdigit(static_cast<unsigned char>(base[0])) || base[0] == '_') base = "layer_" + base;
  if (is_python_word(base)) base += "_layer";
  return names_[&use.layer] = taken_.take_free(base);
}

bool TorchCode::is_new(const std::string& name) {
  if (std::ranges::find(made_, name) != made_.end()) return false;
  made_.push_back(name);
  return true;
}

std::string TorchCode::module(const std::string& name, const std::string& constructor,
                              std::vector<NamedTensor> tensors) {
  if (is_new(name)) {
    init_.push_back(fmt::format("self.{} = {}", name, constructor));
    for (NamedTensor& tensor : tensors) {
      tensor.name = name + "." + tensor.name;
      tensors_.push_back(std::move(tensor));
    }
  }
  return "self." + name;
}

std::string TorchCode::value(const std::string& name, Tensor tensor, bool trained) {
  if (is_new(name)) {
    const std::string zeros = fmt::format("torch.zeros({})", torch_tuple(tensor.shape));
    init_.push_back(trained ? fmt::format("self.{} = nn.Parameter({})", name, zeros)
                            : fmt::format("self.register_buffer(\"{}\", {})", name, zeros));
    tensors_.push_back({name, std::move(tensor)});
  }
  return "self." + name;
}

std::string TorchCode::assign(const std::string& expression) {
  const bool is_name = expression.find_first_not_of("x0123456789") == std::string::npos;
  if (is_name) return expression;
  forward_.push_back({fmt::format("x{}", forward_.size() + 1), expression});
  return forward_.back().name;
}

std::string TorchCode::function(const std::string& name) {
  functions_.insert(name);
  return name;
}

namespace {

/// Adds the names of values that the expression has: x and x1, x2 ...
void add_values(const std::string& expression, std::set<std::string>& values) {
  const auto is_of_word = [](char letter) {
    return letter == '_' || letter == '.' || std::isalnum(static_cast<unsigned char>(letter));
  };
  for (auto at = expression.begin(); at != expression.end();) {
    const auto first = std::find_if(at, expression.end(), is_of_word);
    at = std::find_if_not(first, expression.end(), is_of_word);
    const std::string word(first, at);
    values.insert(word.substr(0, word.find('.')));
  }
}

}  // namespace

std::vector<std::string> TorchCode::forward(const std::string& result) const {
  std::set<std::string> read;
  add_values(result, read);
  std::vector<std::string> lines;
  for (auto line = forward_.rbegin(); line != forward_.rend(); ++line) {
    if (!read.contains(line->name)) continue;
    add_values(line->expression, read);
    lines.push_back(fmt::format("{} = {}", line->name, line->expression));
  }
  std::ranges::reverse(lines);
  return lines;
}

std::string torch_tuple(const Shape& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

std::string torch_padded(const std::string& x, const std::vector<Margin>& margins,
                         const char* more) {
  if (is_nothing(margins)) return x;
  std::vector<std::int64_t> pads;  // the last axis first
  for (auto margin = margins.rbegin(); margin != margins.rend(); ++margin)
    pads.insert(pads.end(), {margin->before, margin->behind});
  return fmt::format("F.pad({}, ({}){})", x, fmt::join(pads, ", "), more);
}

std::string torch_activation(const ActivationFunction& function, const std::string& x) {
  const auto& [alpha, max_value, threshold] = function.constants;
  switch (function.kind) {
    case Activation::kLinear:
      return x;
    case Activation::kRelu:
      return fmt::format("F.relu({})", x);
    case Activation::kSigmoid:
      return fmt::format("torch.sigmoid({})", x);
    case Activation::kTanh:
      return fmt::format("torch.tanh({})", x);
    case Activation::kSoftmax:
      return fmt::format("torch.softmax({}, -1)", x);
    case Activation::kElu:
      return fmt::format("F.elu({}, {})", x, alpha);
    case Activation::kSelu:
      return fmt::format("F.selu({})", x);
    case Activation::kGelu:
      return fmt::format("F.gelu({})", x);
    case Activation::kSilu:
      return fmt::format("F.silu({})", x);
    case Activation::kSoftplus:
      return fmt::format("F.softplus({})", x);
    case Activation::kLeakyRelu:
      return fmt::format("F.leaky_relu({}, {})", x, alpha);
    case Activation::kClippedRelu: {
      std::string text =
          fmt::format("torch.where({0} >= {1}, {0}, {2} * ({0} - {1}))", x, threshold, alpha);
      if (std::isfinite(max_value)) text += fmt::format(".clamp(max={})", max_value);
      return text;
    }
    case Activation::kRelu6:
      return fmt::format("F.relu6({})", x);
    case Activation::kSoftsign:
      return fmt::format("F.softsign({})", x);
    case Activation::kExponential:
      return fmt::format("torch.exp({})", x);
    case Activation::kMish:
      return fmt::format("F.mish({})", x);
    case Activation::kHardSigmoid:
      return fmt::format("F.hardsigmoid({})", x);
    case Activation::kHardSigmoidKeras2:
      return fmt::format("({} / 5 + 0.5).clamp(0, 1)", x);
    case Activation::kHardSilu:
      return fmt::format("F.hardswish({})", x);
    case Activation::kHardTanh:
      return fmt::format("F.hardtanh({})", x);
    case Activation::kLogSigmoid:
      return fmt::format("F.logsigmoid({})", x);
    case Activation::kLogSoftmax:
      return fmt::format("torch.log_softmax({}, -1)", x);
    case Activation::kSquareplus:
      return fmt::format("({0} + ({0} * {0} + 4).sqrt()) / 2", x);
    case Activation::kSparsePlus:
      return fmt::format("torch.where({0} < 1, ({0}.clamp(min=-1) + 1).square() / 4, {0})", x);
    case Activation::kSparseSigmoid:
      return fmt::format("(({} + 1) / 2).clamp(0, 1)", x);
    case Activation::kTanhShrink:
      return fmt::format("F.tanhshrink({})", x);
    case Activation::kSoftShrink:
      return fmt::format("F.softshrink({})", x);
    case Activation::kHardShrink:
      return fmt::format("F.hardshrink({})", x);
    case Activation::kCount:
      break;
  }
  fail(ExitCode::kBadData, "[export] expected an activation that PyTorch has, got {}",
       activation_name(function.kind));
}

std::string torch_activated(const LayerUse& use, const std::string& x) {
  const ActivationFunction function(use.layer.final_activation());
  return function.kind == Activation::kLinear ? x : torch_activation(function, x);
}

}  // namespace lockstep
