#include "src/model/summary.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// Where the columns of Keras 2.15's tables end: of a Sequential, and of a graph.
using Ends = std::vector<std::size_t>;
const Ends kChainEnds = {29, 55, 65};
const Ends kGraphEnds = {29, 58, 68, 98};

std::string line_of(char letter, const Ends& ends) {
  return std::string(ends.back(), letter) + "\n";
}

bool continues_letter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// The bytes of at most so many letters of UTF-8 text.
std::size_t whole_letters(const std::string& text, std::size_t letters) {
  std::size_t end = 0;
  while (end < text.size() && (continues_letter(text[end]) || letters-- > 0)) ++end;
  return end;
}

/// The letters in the first bytes of a text.
std::size_t columns(const std::string& text, std::size_t bytes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < bytes; ++i) count += continues_letter(text[i]) ? 0 : 1;
  return count;
}

/// Keras also begins a new line behind the end of a tuple, list or text.
std::size_t end_of_item(const std::string& text) {
  std::size_t end = text.size();
  for (const char* item : {"),", "},", "],", "',"})
    if (const std::size_t found = text.find(item); found != std::string::npos)
      end = std::min(end, found + 2);
  return end;
}

/// One row; fields that are too long go on in the next line.
std::string row(std::vector<std::string> fields, const Ends& ends) {
  std::string text;
  while (!std::ranges::all_of(fields, &std::string::empty)) {
    std::string line = " ";
    std::size_t width = 1;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::size_t start = i == 0 ? 0 : ends[i - 1];
      const std::size_t gap = i + 1 < fields.size() ? 3 : 0;
      const std::size_t room = ends[i] - start - gap;
      std::string part = fields[i].substr(0, whole_letters(fields[i], room));
      part = part.substr(0, end_of_item(part));
      width += columns(part, part.size());
      line += part + std::string(ends[i] - width, ' ');
      width = ends[i];
      fields[i].erase(0, part.size());
    }
    text += line + "\n";
  }
  return text;
}

/// "(None, 8)", or "[(None, 8), (None, 8)]" of several outputs; of a layer that is used for several
/// shapes, "multiple" as Keras says.
std::string shape_text(const Network& model, std::size_t layer) {
  std::optional<std::vector<std::string>> shapes;
  for (std::size_t call = 0; call < model.calls().size(); ++call) {
    if (model.calls()[call].layer != layer) continue;
    std::vector<std::string> of_call;
    for (std::size_t number = 0; number < model.outputs_of(call); ++number)
      of_call.push_back(to_string_batched(model.shape_of({call, number})));
    if (shapes && *shapes != of_call) return "multiple";
    shapes = std::move(of_call);
  }
  const std::string text = fmt::format("{}", fmt::join(*shapes, ", "));
  const bool list = shapes->size() > 1 || model.layers()[layer]->class_name() == "InputLayer";
  return list ? "[" + text + "]" : text;
}

/// "['dense[0][0]', 'dense_1[0][0]']": what all calls of the layer are applied to.
std::string connections(const Network& model, std::size_t layer) {
  std::vector<std::string> inputs;
  for (const Network::Call& call : model.calls()) {
    if (call.layer != layer) continue;
    for (const auto& [of, number] : call.inputs)
      inputs.push_back(fmt::format("'{}[{}][{}]'",
                                   printable(model.layers()[model.calls()[of].layer]->name()),
                                   model.call_number(of), number));
  }
  return fmt::format("[{}]", fmt::join(inputs, ", "));
}

/// "205.66 KB" as Keras writes it.
std::string memory_size(std::int64_t parameters) {
  static constexpr std::array kUnits = {"Byte", "KB", "MB", "GB", "TB"};
  double size = static_cast<double>(parameters) * sizeof(float);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return fmt::format("{:.2f} {}", size, kUnits[unit]);
}

std::string total(const char* what, std::int64_t parameters) {
  return fmt::format("{}: {} ({})\n", what, parameters, memory_size(parameters));
}

}  // namespace

std::string summary(const Network& model) {
  check(model.built(), ExitCode::kUsage, "[{}] expected build() before summary()", model.name());
  const bool chain = model.is_chain();
  const Ends& ends = chain ? kChainEnds : kGraphEnds;
  std::vector<std::string> titles = {"Layer (type)", "Output Shape", "Param #"};
  if (!chain) titles.push_back("Connected to");
  std::string text = fmt::format("Model: \"{}\"\n", printable(model.name())) + line_of('_', ends) +
                     row(std::move(titles), ends) + line_of('=', ends);
  std::int64_t trained = 0;
  std::int64_t frozen = 0;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const Layer& layer = *model.layers()[i];
    // Keras's Sequential does not list it.
    if (chain && layer.class_name() == "InputLayer") continue;
    std::int64_t count = 0;
    for (const Parameter& parameter : layer.parameters()) {
      const std::int64_t elements = element_count(parameter.shape);
      count += elements;
      (parameter.trained() ? trained : frozen) += elements;
    }
    std::vector<std::string> fields = {
        fmt::format("{} ({})", printable(layer.name()), layer.class_name()), shape_text(model, i),
        std::to_string(count)};
    if (!chain) fields.push_back(connections(model, i));
    text += row(std::move(fields), ends) + line_of(' ', ends);
  }
  return text + line_of('=', ends) + total("Total params", trained + frozen) +
         total("Trainable params", trained) + total("Non-trainable params", frozen) +
         line_of('_', ends);
}

}  // namespace lockstep
