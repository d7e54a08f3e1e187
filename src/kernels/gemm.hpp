#pragma once

#include <string>

#include "src/core/grain_tree.hpp"
#include "src/core/matrix.hpp"
#include "src/core/numerics.hpp"

namespace lockstep {

/// The three products of a layer, exact or by the BLAS (see Numerics). c is written, not added to;
/// k = 0 gives zeros. kFast throws std::overflow_error if an extent does not fit the BLAS's int.

/// c = a b.  a: (m, k), b: (k, n), c: (m, n).  Forward: y = x W.
void multiply(Numerics numerics, ConstMatrix a, ConstMatrix b, Matrix c);
/// c = a b^T.  a: (m, k), b: (n, k), c: (m, n).  Input gradient: dx = dy W^T.
void multiply_transposed_b(Numerics numerics, ConstMatrix a, ConstMatrix b, Matrix c);
/// Weight gradient: dW = x^T dy, one partial for each subtree of rows. a: (k, m), b: (k, n). Of
/// partial i, (m, n) row by row, the elements [first, last) are written to
/// c + i * subtrees.stride. kExact: the chains of the grains are added by the tree; kFast: one
/// product a subtree.
void multiply_transposed_a(Numerics numerics, ConstMatrix a, ConstMatrix b,
                           const Subtrees& subtrees, Range elements, float* c);
/// Bias gradient: the sums of some columns of b, (k, n), for each subtree in the same way. Exact
/// always.
void sum_rows(ConstMatrix b, const Subtrees& subtrees, Range columns, float* c);

/// What the linked BLAS says of itself, for reports: "OpenBLAS SkylakeX"; "CBLAS" if it has no
/// name.
std::string blas_description();
/// OpenBLAS's name of the kernel that it has chosen for this CPU; empty for another BLAS.
std::string blas_kernel();
/// Threads of every product from now on; ignored by a BLAS that has no such call.
void set_blas_threads(int threads);

}  // namespace lockstep
