#include "io/export/torch_import.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>

#include "io/export/torch_export.hpp"
#include "io/export/torch_import_features.hpp"
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
  std::unordered_map<std::string, std::size_t> known;
  std::unordered_map<std::string, std::map<std::string, Shape>> shapes;
  for (const auto& [name, shape] : tensors) {
    const auto [module, tensor] = parts_of(name);
    const auto [at, is_new] = known.try_emplace(module, modules.size());
    if (is_new) modules.push_back({module, {}, ""});
    modules[at->second].tensors[tensor] = name;
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

/// A name without what may differ between modules of which one follows the other: numbers, and
/// nn.LSTM's directions.
std::string without_numbers(const std::string& name) {
  std::string result;
  for (const char letter : name)
    if (std::isdigit(static_cast<unsigned char>(letter)) == 0) result += letter;
  if (result.ends_with("_reverse")) result.resize(result.size() - 8);
  while (result.ends_with('_') || result.ends_with('.')) result.pop_back();
  return result;
}

/// As the layer's name would be written: ours have no dots.
std::string as_layer(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

std::string names_of(const std::vector<const Module*>& modules) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(modules.size(), kShown); ++i)
    text += (i == 0 ? "" : ", ") + printable(modules[i]->name, 80);
  return modules.size() <= kShown ? text
                                  : fmt::format("{} and {} more", text, modules.size() - kShown);
}

/// Modules of one signature that have no pair yet, in order.
struct Alike {
  std::vector<const Module*> own, other;
};

/// The file's name of each of ours: modules with a layer's name are its, whatever order they have;
/// all others follow each other as the layers do. Throws Error (65) with all that is left on either
/// side, and where nothing tells the order.
std::map<std::string, std::string> match(const std::vector<Origins>& ours,
                                         const std::map<std::string, Tensor>& theirs,
                                         std::vector<std::string>& notes) {
  std::vector<std::pair<std::string, Shape>> own, other;
  for (const Origins& origins : ours) own.emplace_back(origins.name, origins.shape);
  for (const auto& [name, tensor] : theirs) other.emplace_back(name, tensor.shape);
  std::ranges::sort(other,
                    [](const auto& a, const auto& b) { return natural_less(a.first, b.first); });
  const std::vector<Module> own_modules = modules_of(own), other_modules = modules_of(other);

  std::unordered_map<std::string, std::vector<const Module*>> named;
  for (const Module& module : other_modules) named[as_layer(module.name)].push_back(&module);
  std::unordered_map<const Module*, const Module*> pairs;  // both ways
  const auto pair = [&](const Module& one, const Module& two) {
    pairs[&one] = &two;
    pairs[&two] = &one;
  };
  for (const Module& module : own_modules) {
    const auto found = named.find(as_layer(module.name));
    if (found != named.end() && found->second.size() == 1 &&
        found->second.front()->signature == module.signature)
      pair(module, *found->second.front());
  }

  std::map<std::string, Alike> all_alike;
  for (const Module& module : own_modules)
    if (!pairs.contains(&module)) all_alike[module.signature].own.push_back(&module);
  for (const Module& module : other_modules)
    if (!pairs.contains(&module)) all_alike[module.signature].other.push_back(&module);
  Problems problems;
  for (const auto& [signature, alike] : all_alike) {
    const std::size_t both = std::min(alike.own.size(), alike.other.size());
    for (std::size_t i = both; i < alike.own.size(); ++i)
      problems.add(
          fmt::format("[{}]", alike.own[i]->name),
          fmt::format("expected a module of {}in the file, got none (or another layer has it)",
                      signature));
    for (std::size_t i = both; i < alike.other.size(); ++i)
      problems.add(fmt::format("[{}]", printable(alike.other[i]->name, 80)),
                   fmt::format("expected a layer with {}in the network, got none", signature));
    const auto differs = [&](const Module* module) {
      return without_numbers(module->name) != without_numbers(alike.other.front()->name);
    };
    if (both > 0 && std::ranges::any_of(alike.other, differs))
      problems.add(
          fmt::format("[{}]", names_of(alike.own)),
          fmt::format("expected modules of {}in the file whose names tell their order by "
                      "a number, or are the layers' names (--layers \"... name={}\"), got {}",
                      signature, printable(as_layer(alike.other.front()->name), 80),
                      names_of(alike.other)));
    for (std::size_t i = 0; i < both; ++i) pair(*alike.own[i], *alike.other[i]);
  }
  problems.throw_if_any(ExitCode::kBadData);

  std::map<std::string, std::string> names;
  std::vector<std::string> order;
  for (const Module& module : own_modules) {
    const Module& its = *pairs.at(&module);
    auto tensor = its.tensors.begin();
    for (auto one = module.tensors.begin(); one != module.tensors.end(); ++one, ++tensor)
      names[one->second] = tensor->second;
    order.push_back(fmt::format("{} is {}", module.name, printable(its.name, 80)));
  }
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

}  // namespace

std::vector<std::string> import_from_torch(Network& model, const StateDict& state_dict) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const std::vector<Origins> ours = origins_of(model);
  std::vector<std::string> notes;
  std::map<std::string, std::string> names;
  const bool has_names = has_our_names(ours, state_dict.tensors);
  if (!has_names) names = match(ours, state_dict.tensors, notes);
  const auto given_for = [&](const Origins& one) -> const Tensor& {
    return state_dict.tensors.at(has_names ? one.name : names.at(one.name));
  };
  Problems problems;
  std::span<float> values = model.arena().values();
  for (const Origins& one : ours) {
    const Tensor& tensor = given_for(one);
    for (std::size_t i = 0; i < one.elements.size(); ++i)
      if (one.elements[i] != Origins::kNone)
        values[static_cast<std::size_t>(one.elements[i])] = tensor.values[i];
  }
  // What Keras has no place for must be what it computes without: PyTorch's second bias is added.
  for (const Origins& one : ours) {
    const Tensor& tensor = given_for(one);
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
  if (state_dict.is_of_export) return notes;
  const std::vector<std::string> moved = take_features_from_torch(model);
  notes.insert(notes.end(), moved.begin(), moved.end());
  return notes;
}

}  // namespace lockstep
