#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/graph/op.hpp"

namespace lockstep {

/// y = x W + b at each position of a sample, and relu behind it.  x: (positions, in), W: (..., in,
/// units) with extents of 1 in front, b: (units) or none, y: (positions, units). `parameters`: W,
/// and b if there is one.
std::unique_ptr<Op> make_dense_op(std::vector<Parameter*> parameters, std::int64_t positions,
                                  bool relu);
/// The same with the last so many elements of W for one row: (in, heads, features), b: (heads,
/// features), units = heads * features.
std::unique_ptr<Op> make_dense_op(std::vector<Parameter*> parameters, std::int64_t positions,
                                  std::int64_t units, bool relu);

}  // namespace lockstep
