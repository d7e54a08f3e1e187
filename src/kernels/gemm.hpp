#pragma once

#include <string>

#include "src/core/matrix.hpp"

namespace lockstep {

/// The three products of a layer; the only door to a BLAS. c is written, not added to; k = 0 gives
/// zeros. Throws std::overflow_error if an extent does not fit the BLAS's int.

/// c = a b.  a: (m, k), b: (k, n), c: (m, n).  Forward: y = x W.
void multiply(ConstMatrix a, ConstMatrix b, Matrix c);
/// c = a^T b.  a: (k, m), b: (k, n), c: (m, n).  Weight gradient: dW = x^T dy.
void multiply_transposed_a(ConstMatrix a, ConstMatrix b, Matrix c);
/// c = a b^T.  a: (m, k), b: (n, k), c: (m, n).  Input gradient: dx = dy W^T.
void multiply_transposed_b(ConstMatrix a, ConstMatrix b, Matrix c);

/// What the linked BLAS says of itself, for reports: "OpenBLAS SkylakeX"; "CBLAS" if it has no
/// name.
std::string blas_description();
/// OpenBLAS's name of the kernel that it has chosen for this CPU; empty for another BLAS.
std::string blas_kernel();
/// Threads of every product from now on; ignored by a BLAS that has no such call.
void set_blas_threads(int threads);

}  // namespace lockstep
