#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "src/core/grain_tree.hpp"
#include "src/graph/gradient_plan.hpp"
#include "src/graph/workspace.hpp"

namespace lockstep {

/// Those of some ops that run, in ascending order, over some rows of a block.
void run_forward(const Graph& graph, const Workspace& workspace, const Rows& rows, const Pass& pass,
                 Range ops);
/// Op i, where backward has anything to do with it; then the sums of the gradients by its inputs.
void run_backward(const Graph& graph, const Workspace& workspace, const Rows& rows,
                  const Pass& pass, std::size_t op);

/// Elements of the gradient by a parameter: partial i to out + i * subtrees.stride. A parameter
/// with several uses: each grain's chains are added in the order of the uses, then grains by the
/// tree.
class ParameterGradients {
 public:
  /// Of the parameters of one way. The references must outlive this object. `most_grains`: of a
  /// subtree.
  ParameterGradients(const Graph& graph, const Workspace& workspace, const GradientPlan& plan,
                     GradientWay way, std::int64_t most_grains);
  void compute(const TrainedParameter& parameter, const Rows& rows, const Pass& pass,
               const Subtrees& subtrees, Range elements, float* out);
  /// Of all parameters of GradientWay::kOwner, what lies within a range of the arena's floats, of
  /// which `out` is the first.
  void compute_owned(const Rows& rows, const Pass& pass, const Subtrees& subtrees, Range floats,
                     float* out);

 private:
  void add_uses(const TrainedParameter& parameter, const Rows& rows, const Pass& pass,
                const Subtrees& subtrees, Range elements, float* out);

  const Graph& graph_;
  const Workspace& workspace_;
  const GradientPlan& plan_;
  FloatBuffer scratch_;  ///< of parameters with several uses
};

}  // namespace lockstep
