#include "launch/commands/table_predictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/data/table_write.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

using Kind = OutputMeaning::Kind;

bool takes_logits(const Network& model) {
  return model.compiled() && model.loss().name().starts_with("binary_") &&
         last_activation(model) == Activation::kLinear;
}

std::vector<std::string> class_names(const std::vector<std::string>& known, std::size_t count) {
  std::vector<std::string> names = known;
  for (std::size_t i = names.size(); i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

Activation last_activation(const Network& model) {
  for (auto layer = model.layers().rbegin(); layer != model.layers().rend(); ++layer) {
    if ((*layer)->passes_through() || (*layer)->class_name() == "Dropout") continue;
    return (*layer)->final_activation();
  }
  return Activation::kLinear;
}

OutputMeaning output_meaning(const Network& model, const TableMapping& mapping) {
  const auto outputs = static_cast<std::size_t>(element_count(model.output_shape()));
  const Activation last = last_activation(model);
  OutputMeaning meaning;
  meaning.probabilities = last == Activation::kSoftmax || last == Activation::kSigmoid;
  const auto refuse = [&](std::size_t expected, const char* what) {
    fail(ExitCode::kBadData, "[table] expected a network of {} outputs for {} {}, got {}", expected,
         expected, what, outputs);
  };
  if (const std::int64_t horizon = mapping.windows.horizon; horizon > 1) {
    const std::size_t expected = mapping.labels.size() * static_cast<std::size_t>(horizon);
    if (outputs != expected) refuse(expected, "labels of the rows to come");
    for (std::int64_t row = 1; row <= horizon; ++row)
      for (const LabelMapping& label : mapping.labels)
        meaning.names.push_back(fmt::format("{}+{}", label.name, row));
    return meaning;
  }
  if (mapping.labels.size() != 1) {
    if (outputs != mapping.labels.size()) refuse(mapping.labels.size(), "labels");
    for (const LabelMapping& label : mapping.labels) meaning.names.push_back(label.name);
    return meaning;
  }
  const LabelMapping& label = mapping.labels.front();
  meaning.label = label.name;
  const bool two = label.classes.size() == 2 || (label.classes.empty() && label.is_zero_or_one);
  const bool tells_two = label.classes.size() == 2 || last == Activation::kSigmoid;
  if (outputs == 1 && two && (tells_two || takes_logits(model))) {
    meaning.kind = Kind::kTwoClasses;
    meaning.names = class_names(label.classes, 2);
    if (takes_logits(model)) meaning.threshold = 0;
  } else if (!label.classes.empty() || (label.integers && outputs > 1)) {
    if (outputs < label.classes.size()) refuse(label.classes.size(), "classes");
    meaning.kind = Kind::kClasses;
    meaning.names = class_names(label.classes, outputs);
  } else if (outputs == 1) {
    meaning.names = {label.name};
  } else {
    for (std::size_t i = 0; i < outputs; ++i)
      meaning.names.push_back(fmt::format("{}_{}", label.name, i));
  }
  return meaning;
}

std::string TablePredictions::field(const std::string& text) const {
  return table_field(text, separator_);
}

TablePredictions::TablePredictions(OutputMeaning meaning, const std::string& id_name,
                                   const std::vector<std::string>& ids, char separator)
    : meaning_(std::move(meaning)), ids_(ids), separator_(separator) {
  text_ = field(ids.empty() ? "row" : id_name);
  if (meaning_.kind != Kind::kNumbers) text_ += separator_ + field(meaning_.label);
  const char* prefix = meaning_.kind == Kind::kNumbers ? ""
                       : meaning_.probabilities        ? "probability_"
                                                       : "output_";
  const bool one_output = meaning_.kind == Kind::kTwoClasses && !meaning_.probabilities;
  for (const std::string& name : meaning_.names)
    if (!one_output || name == meaning_.names.back()) text_ += separator_ + field(prefix + name);
  text_ += "\n";
}

void TablePredictions::add(std::int64_t first_row, ConstMatrix rows) {
  for (std::int64_t i = 0; i < rows.rows; ++i)
    add_row(first_row + i, rows.data + i * rows.columns, rows.columns);
}

/// The field; empty if an output is NaN.
std::string TablePredictions::class_of(const float* outputs, std::int64_t count) const {
  if (std::any_of(outputs, outputs + count, [](float value) { return std::isnan(value); }))
    return "";
  const auto index = meaning_.kind == Kind::kTwoClasses
                         ? std::ptrdiff_t{outputs[0] > meaning_.threshold}
                         : std::max_element(outputs, outputs + count) - outputs;
  return field(meaning_.names[static_cast<std::size_t>(index)]);
}

void TablePredictions::add_row(std::int64_t row, const float* outputs, std::int64_t count) {
  text_ += ids_.empty() ? std::to_string(row) : field(ids_[static_cast<std::size_t>(row)]);
  if (meaning_.kind != Kind::kNumbers) text_ += separator_ + class_of(outputs, count);
  if (meaning_.kind == Kind::kTwoClasses && meaning_.probabilities)
    text_ += fmt::format("{}{}", separator_, 1 - outputs[0]);
  for (std::int64_t i = 0; i < count; ++i) text_ += fmt::format("{}{}", separator_, outputs[i]);
  text_ += "\n";
}

}  // namespace lockstep
