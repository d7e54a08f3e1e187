#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "src/graph/graph.hpp"

namespace lockstep {

/// What training is to do with a graph: where the loss stands, and the weights that it changes. As
/// it is made: the graph's output, and every weight that is trained at all.
class Aim {
 public:
  Aim() = default;
  /// `output`: a value of the graph. Of `parameters` those are trained whose role says so; the
  /// others are constants, through which gradients pass. They must outlive the aim.
  Aim(std::size_t output, std::vector<const Parameter*> parameters);

  /// Training begins at this value, which is given to it as the graph's input would be: what leads
  /// there does not run. See frozen_front().
  void begin_at(std::optional<std::size_t> value) { begin_ = value; }
  /// The values that whoever runs a pass fills in.
  std::vector<std::size_t> inputs(const Graph& graph) const;
  std::size_t input(const Graph& graph) const { return begin_.value_or(graph.input()); }
  std::int64_t input_columns(const Graph& graph) const {
    return element_count(graph.shape(input(graph)));
  }
  std::size_t output(const Graph& graph) const { return output_.value_or(graph.output()); }
  bool trains(const Parameter& parameter) const;
  /// Whether it is the one that every graph has.
  bool is_whole() const { return !output_; }

  /// By op: whether its output has a part in the aim's output, and is not given. The others do not
  /// run.
  std::vector<bool> runs(const Graph& graph) const;
  /// The first ops, which hold all that run.
  std::size_t ops(const Graph& graph) const;
  /// By storage: whether training needs the gradient by it.
  std::vector<bool> needs_gradient(const Graph& graph) const;

 private:
  std::optional<std::size_t> begin_, output_;
  std::vector<const Parameter*> parameters_;  ///< ascending addresses
};

/// By op: whether the value depends on it.
std::vector<bool> leads_to(const Graph& graph, std::span<const std::size_t> values);

/// The value up to which training leaves all as it is: layers that are not trained, nothing
/// random, no sums over the batch, no states that it carries, so that a row comes out alike in
/// every epoch; and of which alone the ops behind it read. The last one, if its layers have
/// weights and others are trained; none otherwise.
std::optional<std::size_t> frozen_front(const Graph& graph, const Aim& aim);

}  // namespace lockstep
