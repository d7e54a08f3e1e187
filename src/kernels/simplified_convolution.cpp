#include "src/kernels/simplified_convolution.hpp"

namespace lockstep {
namespace {

using Axes = ConvolutionShape::Axes;

/// Nothing but a matrix product along this axis.
bool is_plain(const ConvolutionShape& shape, std::size_t axis) {
  return shape.kernel[axis] == 1 && shape.stride[axis] == 1 && shape.before[axis] == 0 &&
         shape.output[axis] == shape.input[axis];
}

/// Plain axes i and i + 1 become one, those before them move up, and the first one is trivial.
void merge_axes(ConvolutionShape& shape, std::size_t i) {
  for (Axes* axes : {&shape.input, &shape.kernel, &shape.stride, &shape.dilation, &shape.before,
                     &shape.output}) {
    const bool extents = axes == &shape.input || axes == &shape.output;
    if (extents) (*axes)[i + 1] *= (*axes)[i];
    for (std::size_t j = i; j > 0; --j) (*axes)[j] = (*axes)[j - 1];
    (*axes)[0] = axes == &shape.before ? 0 : 1;
  }
}

}  // namespace

ConvolutionShape simplified(const ConvolutionShape& shape) {
  ConvolutionShape simple = shape;
  for (const std::size_t i : {0u, 1u})
    if (is_plain(simple, i) && is_plain(simple, i + 1)) merge_axes(simple, i);
  // A last axis of one position makes room for a longer one.
  while (
      is_plain(simple, 2) && simple.input[2] == 1 &&
      !(is_plain(simple, 1) && simple.input[1] == 1 && is_plain(simple, 0) && simple.input[0] == 1))
    for (Axes* axes : {&simple.input, &simple.kernel, &simple.stride, &simple.dilation,
                       &simple.before, &simple.output})
      *axes = {axes == &simple.before ? 0 : 1, (*axes)[0], (*axes)[1]};
  return simple;
}

}  // namespace lockstep
