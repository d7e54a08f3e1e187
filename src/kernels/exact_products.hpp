#pragma once

#include "src/core/grain_tree.hpp"
#include "src/core/matrix.hpp"
#include "src/kernels/exact_gemm.hpp"

namespace lockstep {

/// gemm.hpp's products of Numerics::kExact by one variant. Large ones are shared out over the
/// threads of parallel.hpp, by columns or rows of c.

void exact_multiply(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                    StridedMatrix c, bool goes_on = false);
void exact_multiply_transposed_b(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                                 StridedMatrix c, bool goes_on = false);
/// The block `rows` x `columns` of a^T b, to a place within rows that lie c_stride floats apart; 0:
/// b.columns.
void exact_multiply_transposed_a(const ExactGemm& gemm, ConstStridedMatrix a, ConstStridedMatrix b,
                                 const Subtrees& subtrees, Range rows, Range columns, float* c,
                                 std::int64_t c_stride = 0);
void exact_sum_rows(const ExactGemm& gemm, ConstStridedMatrix b, const Subtrees& subtrees,
                    Range columns, float* c);

/// The variant of the same name as kernels().
const ExactGemm& exact_gemm();

}  // namespace lockstep
