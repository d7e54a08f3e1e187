#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/graph/aim.hpp"
#include "src/graph/graph.hpp"

namespace lockstep {

/// Who computes the gradients of an op's parameters. The same bits by the tree.
enum class GradientWay : std::uint8_t {
  kOwner,  ///< who owns a part of a parameter, from the op's values of all rows, after backward
  kRows,   ///< every rank, of its own rows, beside backward
  /// Of a table, of which a step names few rows: as kOwner, but by row, and no other row has any.
  kTouched
};

/// A parameter that is trained.
struct TrainedParameter {
  /// Parameter `number` of an op.
  struct Use {
    std::size_t op;
    std::size_t number;
  };
  const Parameter* parameter;
  GradientWay way;
  std::vector<Use> uses;    ///< ascending
  std::int64_t partial_at;  ///< kRows: where it stands in a partial, in floats
};

/// Which gradients training computes, how and when: a parameter's when backward is through with its
/// first use, and so with all.
struct GradientPlan {
  std::vector<TrainedParameter> parameters;  ///< in the order of the arena
  std::int64_t partial_floats = 0;           ///< of the parameters of kRows

  bool any(GradientWay way) const;
  /// Where a float of the arena, of a parameter of kRows, stands in a partial.
  std::int64_t partial_at(std::int64_t float_of_arena) const;
};

/// `way_of_op`: a parameter of several ops goes by rows if one of them does, or if one has sums
/// over the batch before backward, which owners do not know; it is of kTouched if all are. What
/// follows one another in the arena does so in a partial. Uses that have no part in the aim's
/// output do not count. A pure function.
GradientPlan plan_gradients(const Graph& graph, const std::vector<GradientWay>& way_of_op,
                            const Aim& aim = {});
/// All of one way.
GradientPlan plan_gradients(const Graph& graph, GradientWay wanted, const Aim& aim = {});

}  // namespace lockstep
