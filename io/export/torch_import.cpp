#include "io/export/torch_import.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "io/export/torch_export.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"

namespace lockstep {
namespace {

/// Where the elements of one tensor come from: numbers of elements of the arena; kNone: it is not a
/// weight, but always `constant`.
struct Origins {
  static constexpr std::int64_t kNone = -1;
  std::string name;
  Shape shape;
  std::vector<std::int64_t> elements;
  std::vector<float> constants;
};

/// What export_to_torch() does to the weights, found by doing it: it moves numbers about, so that
/// numbers that say where they stand tell where each one goes.
std::vector<Origins> origins_of(Network& model) {
  // What float32 holds without an error, with room for a mark.
  constexpr std::int64_t kBase = std::int64_t{1} << 20;
  constexpr float kMark = 1 << 21;
  const std::vector<float> before(model.arena().values().begin(), model.arena().values().end());
  const auto exported = [&](auto number) {
    std::span<float> values = model.arena().values();
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(number(static_cast<std::int64_t>(i)));
    return torch_tensors(model);
  };
  const auto low = exported([](std::int64_t i) { return i % kBase; });
  const auto high = exported([](std::int64_t i) { return i / kBase; });
  const auto marked = exported([](std::int64_t i) { return i % kBase + (1 << 21); });
  std::ranges::copy(before, model.arena().values().begin());
  std::vector<Origins> all;
  for (std::size_t t = 0; t < low.size(); ++t) {
    if (low[t].is_count) continue;
    Origins origins{low[t].name, low[t].tensor.shape, {}, {}};
    for (std::size_t i = 0; i < low[t].tensor.values.size(); ++i) {
      const float difference = marked[t].tensor.values[i] - low[t].tensor.values[i];
      check(difference == 0 || difference == kMark, ExitCode::kBadData,
            "[{}] expected weights that PyTorch has as they are, got others", low[t].name);
      origins.elements.push_back(
          difference == 0 ? Origins::kNone
                          : static_cast<std::int64_t>(low[t].tensor.values[i]) +
                                kBase * static_cast<std::int64_t>(high[t].tensor.values[i]));
      origins.constants.push_back(difference == 0 ? low[t].tensor.values[i] : 0);
    }
    all.push_back(std::move(origins));
  }
  return all;
}

/// Numbers in names count as numbers.
bool natural_less(const std::string& one, const std::string& other) {
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  while (i < one.size() && j < other.size()) {
    if (digit(one[i]) && digit(other[j])) {
      std::size_t p = i, q = j;
      while (p < one.size() && digit(one[p])) ++p;
      while (q < other.size() && digit(other[q])) ++q;
      if (p - i != q - j) return p - i < q - j;
      const int order = one.compare(i, p - i, other, j, q - j);
      if (order != 0) return order < 0;
      i = p;
      j = q;
    } else if (one[i] != other[j]) {
      return one[i] < other[j];
    } else {
      ++i;
      ++j;
    }
  }
  return one.size() - i < other.size() - j;
}

/// A module and its tensor; nn.LSTM's layers and directions count as modules.
std::pair<std::string, std::string> parts_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  std::string module = dot == std::string::npos ? name : name.substr(0, dot);
  std::string tensor = dot == std::string::npos ? "" : name.substr(dot + 1);
  const std::size_t layer = tensor.find("_l");
  const bool recurrent = tensor.starts_with("weight_ih_l") || tensor.starts_with("weight_hh_l") ||
                         tensor.starts_with("bias_ih_l") || tensor.starts_with("bias_hh_l");
  if (recurrent) {
    module += "." + tensor.substr(layer + 1);
    tensor = tensor.substr(0, layer);
  }
  return {module, tensor};
}

struct Module {
  std::string name;
  std::map<std::string, std::string> tensors;  ///< full names
  std::string signature;                       ///< its tensors' names and shapes
};

/// In the order in which they are given.
std::vector<Module> modules_of(const std::vector<std::pair<std::string, Shape>>& tensors) {
  std::vector<Module> modules;
  std::map<std::string, std::map<std::string, Shape>> shapes;
  for (const auto& [name, shape] : tensors) {
    const auto [module, tensor] = parts_of(name);
    auto found = std::ranges::find(modules, module, &Module::name);
    if (found == modules.end()) {
      modules.push_back({module, {}, ""});
      found = modules.end() - 1;
    }
    found->tensors[tensor] = name;
    shapes[module][tensor] = shape;
  }
  for (Module& module : modules) {
    const auto& of = shapes[module.name];
    // PReLU's weight is the module itself in the modules that we write.
    for (const auto& [tensor, shape] : of)
      module.signature +=
          fmt::format("{} ({}) ", of.size() == 1 ? "weight" : tensor, fmt::join(shape, ", "));
  }
  return modules;
}

/// The file's name of each of ours. Throws Error (65) with all that is left on either side.
std::map<std::string, std::string> match(const std::vector<Origins>& ours,
                                         const std::map<std::string, Tensor>& theirs,
                                         std::vector<std::string>& notes) {
  std::vector<std::pair<std::string, Shape>> own, other;
  for (const Origins& origins : ours) own.emplace_back(origins.name, origins.shape);
  for (const auto& [name, tensor] : theirs) other.emplace_back(name, tensor.shape);
  std::ranges::sort(other,
                    [](const auto& a, const auto& b) { return natural_less(a.first, b.first); });
  std::vector<Module> left = modules_of(other);
  std::map<std::string, std::string> names;
  Problems problems;
  std::vector<std::string> order;
  for (const Module& module : modules_of(own)) {
    const auto found = std::ranges::find(left, module.signature, &Module::signature);
    if (found == left.end()) {
      problems.add(
          fmt::format("[{}]", module.name),
          fmt::format("expected a module of {}in the file, got none (or another layer has it)",
                      module.signature));
      continue;
    }
    auto its = found->tensors.begin();
    for (auto one = module.tensors.begin(); one != module.tensors.end(); ++one, ++its)
      names[one->second] = its->second;
    order.push_back(fmt::format("{} is {}", module.name, printable(found->name, 80)));
    left.erase(found);
  }
  for (const Module& module : left)
    problems.add(fmt::format("[{}]", printable(module.name, 80)),
                 fmt::format("expected a layer with {}in the network, got none", module.signature));
  problems.throw_if_any(ExitCode::kBadData);
  notes.push_back(fmt::format("by order and shape: {}", fmt::join(order, ", ")));
  return names;
}

/// All names are ours. Throws Error (65) with every shape that differs.
bool has_our_names(const std::vector<Origins>& ours, const std::map<std::string, Tensor>& theirs) {
  if (theirs.size() != ours.size()) return false;
  if (!std::ranges::all_of(ours, [&](const Origins& one) { return theirs.contains(one.name); }))
    return false;
  Problems problems;
  for (const Origins& one : ours)
    if (theirs.at(one.name).shape != one.shape)
      problems.add(fmt::format("[{}]", one.name),
                   fmt::format("expected shape ({}), got ({})", fmt::join(one.shape, ", "),
                               fmt::join(theirs.at(one.name).shape, ", ")));
  problems.throw_if_any(ExitCode::kBadData);
  return true;
}

bool keeps_channels(const std::string& class_name) {
  return class_name == "Dropout" || class_name == "Activation" || class_name.ends_with("ReLU") ||
         class_name == "ELU" || class_name.ends_with("Normalization");
}

/// The shape of the images that the layer of this call sees flattened; empty: it does not.
/// PyTorch's have their channels in front.
Shape flattened_images(const Network& model, std::size_t call) {
  std::size_t at = model.calls()[call].inputs.front().call;
  const auto class_of = [&](std::size_t i) {
    return model.layers()[model.calls()[i].layer]->class_name();
  };
  while (keeps_channels(class_of(at)) && !model.calls()[at].inputs.empty())
    at = model.calls()[at].inputs.front().call;
  if (class_of(at) != "Flatten") return {};
  at = model.calls()[at].inputs.front().call;
  std::size_t source = at;
  while (keeps_channels(class_of(source)) && !model.calls()[source].inputs.empty())
    source = model.calls()[source].inputs.front().call;
  const std::string from = class_of(source);
  const bool positions =
      from.find("Conv") != std::string::npos || from.find("Pooling") != std::string::npos ||
      from.find("Padding") != std::string::npos || from.find("Cropping") != std::string::npos ||
      from.find("UpSampling") != std::string::npos;
  const Shape shape = model.shape_of(Network::Output(at));
  return positions || shape.size() > 2 ? shape : Shape();
}

/// Moves the columns of a (units, features) weight from (C, positions) to (positions, C).
Tensor with_channels_last(const Tensor& weight, const Shape& images) {
  const std::int64_t channels = images.back(), positions = weight.shape[1] / channels;
  return weight.reshaped({weight.shape[0], channels, positions})
      .permuted({0, 2, 1})
      .reshaped(weight.shape);
}

}  // namespace

std::vector<std::string> import_from_torch(Network& model,
                                           const std::map<std::string, Tensor>& state_dict) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const std::vector<Origins> ours = origins_of(model);
  std::vector<std::string> notes;
  std::map<std::string, std::string> names;
  const bool own = has_our_names(ours, state_dict);
  if (!own) names = match(ours, state_dict, notes);
  std::map<std::string, Tensor> given;
  for (const Origins& one : ours)
    given[one.name] = state_dict.at(own ? one.name : names.at(one.name));
  if (!own) {
    for (std::size_t call = 0; call < model.calls().size(); ++call) {
      const Layer& layer = *model.layers()[model.calls()[call].layer];
      if (layer.class_name() != "Dense") continue;
      const Shape images = flattened_images(model, call);
      if (images.empty() || images.back() == element_count(images)) continue;
      const Parameter& kernel = layer.parameters().front();
      const auto weight = std::ranges::find_if(
          ours, [&](const Origins& one) { return one.elements.front() == kernel.offset; });
      if (weight == ours.end()) continue;
      Tensor& tensor = given.at(weight->name);
      tensor = with_channels_last(tensor, images);
      notes.push_back(
          fmt::format("{} is behind a Flatten: its columns are taken as PyTorch's, with "
                      "channels in front",
                      printable(layer.name(), 80)));
    }
  }
  Problems problems;
  std::span<float> values = model.arena().values();
  for (const Origins& one : ours) {
    const Tensor& tensor = given.at(one.name);
    for (std::size_t i = 0; i < one.elements.size(); ++i)
      if (one.elements[i] != Origins::kNone)
        values[static_cast<std::size_t>(one.elements[i])] = tensor.values[i];
  }
  // What Keras has no place for must be what it computes without: PyTorch's second bias is added.
  for (const Origins& one : ours) {
    const Tensor& tensor = given.at(one.name);
    const std::size_t hidden = one.name.rfind("bias_hh");
    const bool second =
        hidden != std::string::npos &&
        std::ranges::all_of(one.elements, [](auto at) { return at == Origins::kNone; });
    if (second) {
      std::string first = one.name;
      first.replace(hidden, 7, "bias_ih");
      const auto input = std::ranges::find(ours, first, &Origins::name);
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        values[static_cast<std::size_t>(input->elements[i])] += tensor.values[i];
      continue;
    }
    for (std::size_t i = 0; i < one.elements.size(); ++i) {
      const bool fits = std::fabs(tensor.values[i] - one.constants[i]) <=
                        1e-6F * std::max(1.0F, std::fabs(one.constants[i]));
      if (one.elements[i] != Origins::kNone || fits) continue;
      problems.add(fmt::format("[{}]", one.name),
                   fmt::format("expected {}, for which the layer has no weight, got {}",
                               one.constants[i], tensor.values[i]));
      break;
    }
  }
  problems.throw_if_any(ExitCode::kBadData);
  return notes;
}

}  // namespace lockstep
