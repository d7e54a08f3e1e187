#include "src/layers/rnn.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/core/error.hpp"
#include "src/core/keras_names.hpp"
#include "src/layers/inner_layer.hpp"
#include "src/layers/row_random.hpp"

namespace lockstep {

std::size_t CellLayer::lower(Graph&, std::span<const std::size_t>) {
  fail(ExitCode::kBadData, "[{}] expected a cell within an RNN, got {} as a layer of its own",
       name(), class_name());
}

nlohmann::ordered_json Cell::config() const {
  return recurrent_.cell_config();
}

StackedCells::StackedCells(std::vector<std::unique_ptr<CellLayer>> cells)
    : cells_(std::move(cells)) {
  check(!cells_.empty(), ExitCode::kBadData, "expected one cell or more, got none");
}

std::vector<Activation> StackedCells::activations() const {
  std::vector<Activation> all;
  for (const auto& cell : cells_)
    for (const Activation activation : cell->activations()) all.push_back(activation);
  return all;
}

nlohmann::ordered_json StackedCells::config() const {
  nlohmann::ordered_json cells = nlohmann::ordered_json::array();
  for (const auto& cell : cells_) cells.push_back(inner_layer_to_json(*cell));
  return {{"cells", std::move(cells)}};
}

bool StackedCells::is_flat() const {
  return std::ranges::none_of(cells_, [](const auto& cell) {
    return dynamic_cast<const StackedCells*>(cell.get()) != nullptr;
  });
}

/// Keras 3 numbers the cells of a class.
std::vector<CellLayer::Part> StackedCells::parts() const {
  std::vector<Part> all;
  NameCounter stores;
  for (const auto& cell : cells_) {
    const std::string store = "cells/" + stores.next(keras_snake_case(cell->class_name()));
    for (Part part : cell->parts()) {
      part.scope = name() + "/" + part.scope;
      part.store = part.store.empty() ? store : store + "/" + part.store;
      part.trainable = part.trainable && trainable();
      all.push_back(std::move(part));
    }
  }
  return all;
}

Rnn::Rnn(std::unique_ptr<CellLayer> cell, Options options)
    : cell_(std::move(cell)), options_(options), parts_(cell_->parts()) {
  check(parts_.size() <= RowRandom::kParts, ExitCode::kBadData,
        "expected at most {} cells in one RNN, got {}", RowRandom::kParts, parts_.size());
}

std::vector<Parameter> Rnn::make_parameters(const std::string& name, const Shape& input) const {
  std::vector<Parameter> parameters;
  Shape shape = input;
  for (const CellLayer::Part& part : parts_) {
    for (Parameter& parameter : part.recurrent->make_parameters(name, shape)) {
      parameter.scope = part.scope;
      if (!part.store.empty()) parameter.store += "/" + part.store;
      if (!part.trainable) parameter.role = ParameterRole::kFrozen;
      parameters.push_back(std::move(parameter));
    }
    shape = {input.front(), part.recurrent->units()};
  }
  return parameters;
}

/// Keras has the states of each cell of a stack in a list of their own. Of stacks within stacks,
/// lists in lists, there are none.
std::vector<std::size_t> Rnn::states() const {
  const auto* const stack = dynamic_cast<const StackedCells*>(cell_.get());
  if (stack == nullptr) return parts_.front().recurrent->states();
  if (!stack->is_flat()) return {};
  std::vector<std::size_t> lists;
  for (const CellLayer::Part& part : parts_) lists.push_back(part.recurrent->state_count());
  return lists;
}

/// Backwards, a cell leaves its outputs where their inputs lie, so that the next one can do the
/// same.
std::vector<std::size_t> Rnn::add_ops(const std::string& name, Graph& graph, std::size_t input,
                                      std::span<Parameter> parameters, const Use& use) const {
  const auto mask = graph.mask(input);
  std::vector<std::size_t> outputs = {input};
  std::span<const std::size_t> states = use.states;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Recurrent& recurrent = *parts_[i].recurrent;
    const std::size_t count = recurrent.parameter_count();
    const bool last = i + 1 == parts_.size();
    Use its = use;
    its.cell = static_cast<std::uint32_t>(i);
    its.in_input_order = !last || use.in_input_order;
    its.zeros_for_mask = last && use.zeros_for_mask;
    if (!states.empty()) {
      its.states = states.first(recurrent.state_count());
      states = states.subspan(recurrent.state_count());
    }
    const std::vector<std::size_t> of_cell =
        recurrent.add_ops(name, graph, outputs.front(), parameters.first(count), its,
                          {!last || options_.return_sequences, options_.return_state});
    outputs.front() = of_cell.front();
    outputs.insert(outputs.end(), of_cell.begin() + 1, of_cell.end());
    if (!last) graph.set_mask(outputs.front(), mask);
    parameters = parameters.subspan(count);
  }
  return outputs;
}

nlohmann::ordered_json Rnn::config() const {
  nlohmann::ordered_json config = {{"return_sequences", options_.return_sequences},
                                   {"return_state", options_.return_state},
                                   {"go_backwards", options_.go_backwards},
                                   {"stateful", options_.stateful},
                                   {"unroll", options_.unroll},
                                   {"cell", inner_layer_to_json(*cell_)}};
  if (options_.zero_output_for_mask) config["zero_output_for_mask"] = true;
  return config;
}

}  // namespace lockstep
