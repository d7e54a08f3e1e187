#pragma once

#include <string>

#include "src/core/grain_tree.hpp"
#include "src/core/matrix.hpp"
#include "src/core/numerics.hpp"

namespace lockstep {

/// Whether the chains of a product start from zero, or go on from what c holds: [a a'] [b; b'] is
/// a b, and then a' b' that goes on.
enum class Chains : std::uint8_t { kStart, kGoOn };

/// The three products of a layer, exact or by the BLAS (see Numerics). c is written, not added to,
/// unless its chains go on; k = 0 gives zeros. kFast throws std::overflow_error if an extent does
/// not fit the BLAS's int.

/// c = a b.  a: (m, k), b: (k, n), c: (m, n).  Forward: y = x W.
void multiply(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b, StridedMatrix c,
              Chains chains = Chains::kStart);
/// c = a b^T.  a: (m, k), b: (n, k), c: (m, n).  Input gradient: dx = dy W^T.
void multiply_transposed_b(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b,
                           StridedMatrix c, Chains chains = Chains::kStart);
/// The columns of a matrix that a product makes: from `first` on. all = 0: it has no others.
struct ColumnPlace {
  std::int64_t first = 0;
  std::int64_t all = 0;
};
/// Weight gradient: dW = x^T dy, one partial for each subtree of rows. a: (k, m), b: (k, n). Of
/// partial i, (m, n) row by row, or (m, place.all), the elements [first, last), or those of them
/// that lie in this place, are written to c + i * subtrees.stride. kExact: the chains of the grains
/// are added by the tree; kFast: one product a subtree.
void multiply_transposed_a(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b,
                           const Subtrees& subtrees, Range elements, float* c,
                           ColumnPlace place = {});
/// Bias gradient: the sums of some columns of b, (k, n), for each subtree in the same way. Exact
/// always.
void sum_rows(ConstStridedMatrix b, const Subtrees& subtrees, Range columns, float* c);

/// What the linked BLAS says of itself, for reports: "OpenBLAS SkylakeX"; "CBLAS" if it has no
/// name.
std::string blas_description();
/// OpenBLAS's name of the kernel that it has chosen for this CPU; empty for another BLAS.
std::string blas_kernel();
/// Threads of every product from now on; ignored by a BLAS that has no such call.
void set_blas_threads(int threads);

}  // namespace lockstep
