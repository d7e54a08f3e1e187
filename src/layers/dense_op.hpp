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

}  // namespace lockstep
