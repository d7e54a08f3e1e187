#pragma once

#include <cstddef>
#include <optional>
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

  std::size_t output(const Graph& graph) const { return output_.value_or(graph.output()); }
  bool trains(const Parameter& parameter) const;
  /// Whether it is the one that every graph has.
  bool is_whole() const { return !output_; }

  /// By op: whether its output has a part in the aim's output. The others do not run.
  std::vector<bool> runs(const Graph& graph) const;
  /// The first ops, which hold all that run.
  std::size_t ops(const Graph& graph) const;
  /// By storage: whether training needs the gradient by it.
  std::vector<bool> needs_gradient(const Graph& graph) const;

 private:
  std::optional<std::size_t> output_;
  std::vector<const Parameter*> parameters_;  ///< ascending addresses
};

}  // namespace lockstep
