#pragma once

#include <memory>
#include <vector>

#include "src/graph/op.hpp"
#include "src/kernels/convolution.hpp"

namespace lockstep {

/// A convolution whose groups are single input channels, and relu behind it. `parameters`: the
/// kernel, (positions ..., channels, multiplier), and a bias of all output channels if there is
/// one. The shape's first extents are 1.
std::unique_ptr<Op> make_depthwise_op(std::vector<Parameter*> parameters,
                                      const ConvolutionShape& shape, bool relu);

}  // namespace lockstep
