#include "src/kernels/gemm.hpp"

#include <cblas.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "src/kernels/exact_products.hpp"

// OpenBLAS's own calls; another CBLAS lacks them.
extern "C" {
__attribute__((weak)) char* openblas_get_corename(void);
__attribute__((weak)) void openblas_set_num_threads(int);
}

namespace lockstep {
namespace {

int blas_int(std::int64_t extent) {
  if (extent > std::numeric_limits<int>::max())
    throw std::overflow_error("matrix extent does not fit the BLAS's int");
  return static_cast<int>(extent);
}

/// OpenBLAS has a second, up to twice as fast path for products of at most this many
/// multiplications (interface/gemm.c, SkylakeX): larger ones are cut so that they take it, if the
/// pieces stay thick enough.
constexpr std::int64_t kSmallProduct = 1'000'000;
constexpr std::int64_t kThinnestPiece = 8;

/// The largest multiple of kThinnestPiece of the cut extent for which a piece is small; the whole
/// extent if there is none.
std::int64_t piece(std::int64_t extent, std::int64_t other_extents) {
  const std::int64_t fitting = kSmallProduct / std::max<std::int64_t>(other_extents, 1);
  const std::int64_t thick = fitting / kThinnestPiece * kThinnestPiece;
  return thick == 0 || extent <= thick ? extent : thick;
}

void sgemm(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, std::int64_t m, std::int64_t n,
           std::int64_t k, ConstStridedMatrix a, ConstStridedMatrix b, float beta,
           StridedMatrix c) {
  cblas_sgemm(CblasRowMajor, transpose_a, transpose_b, blas_int(m), blas_int(n), blas_int(k), 1.0f,
              a.data, blas_int(std::max<std::int64_t>(a.stride, 1)), b.data,
              blas_int(std::max<std::int64_t>(b.stride, 1)), beta, c.data,
              blas_int(std::max<std::int64_t>(c.stride, 1)));
}

/// Cuts the rows of a and c.
void multiply_by_row_pieces(CBLAS_TRANSPOSE transpose_b, std::int64_t n, ConstStridedMatrix a,
                            ConstStridedMatrix b, StridedMatrix c, Chains chains) {
  if (a.rows == 0 || n == 0) return;
  const std::int64_t rows = piece(a.rows, n * a.columns);
  for (std::int64_t i = 0; i < a.rows; i += rows) {
    const std::int64_t count = std::min(rows, a.rows - i);
    sgemm(CblasNoTrans, transpose_b, count, n, a.columns, a.rows_from(i, count), b,
          chains == Chains::kGoOn ? 1.0f : 0.0f, c.rows_from(i, count));
  }
}

/// The block `rows` x `columns` of a^T b, to a place within rows that lie c_stride floats apart.
void multiply_transposed_a_by_blas(ConstStridedMatrix a, ConstStridedMatrix b, Range rows,
                                   Range columns, float* c, std::int64_t c_stride) {
  const std::int64_t m = rows.count(), n = columns.count();
  if (a.rows == 0)
    for (std::int64_t i = 0; i < m; ++i) std::fill_n(c + i * c_stride, n, 0.0f);
  const std::int64_t depth = piece(a.rows, m * n);
  for (std::int64_t k = 0; k < a.rows; k += depth)
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(m), blas_int(n),
                blas_int(std::min(depth, a.rows - k)), 1.0f, a.row(k) + rows.first,
                blas_int(a.stride), b.row(k) + columns.first, blas_int(b.stride),
                k == 0 ? 0.0f : 1.0f, c, blas_int(c_stride));
}

/// f(rows, columns) of the rectangles that make up elements of a matrix of n columns, in order:
/// whole rows, and parts of a row before and behind them.
template <class F>
void for_rectangles(Range elements, std::int64_t n, const F& f) {
  while (elements.count() > 0) {
    const std::int64_t row = elements.first / n, column = elements.first % n;
    const std::int64_t rows = column == 0 ? std::max<std::int64_t>(elements.count() / n, 1) : 1;
    const Range columns{column, std::min(n, column + elements.count())};
    f(Range{row, row + rows}, columns);
    elements.first += rows * columns.count();
  }
}

}  // namespace

void multiply(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b, StridedMatrix c,
              Chains chains) {
  if (numerics == Numerics::kFast)
    return multiply_by_row_pieces(CblasNoTrans, b.columns, a, b, c, chains);
  exact_multiply(exact_gemm(), a, b, c, chains == Chains::kGoOn);
}

void multiply_transposed_b(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b,
                           StridedMatrix c, Chains chains) {
  if (numerics == Numerics::kFast)
    return multiply_by_row_pieces(CblasTrans, b.rows, a, b, c, chains);
  exact_multiply_transposed_b(exact_gemm(), a, b, c, chains == Chains::kGoOn);
}

void multiply_transposed_a(Numerics numerics, ConstStridedMatrix a, ConstStridedMatrix b,
                           const Subtrees& subtrees, Range elements, float* c, ColumnPlace place) {
  const std::int64_t all = place.all == 0 ? b.columns : place.all;
  for_rectangles(elements, all, [&](Range rows, Range wanted) {
    const Range columns{std::max(wanted.first - place.first, std::int64_t{0}),
                        std::min(wanted.last - place.first, b.columns)};
    if (columns.first >= columns.last) return;
    float* to = c + rows.first * all + place.first + columns.first - elements.first;
    if (numerics == Numerics::kExact)
      return exact_multiply_transposed_a(exact_gemm(), a, b, subtrees, rows, columns, to, all);
    for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, to += subtrees.stride) {
      const Range k = subtrees.rows(subtree);
      multiply_transposed_a_by_blas(a.rows_from(k.first, k.count()),
                                    b.rows_from(k.first, k.count()), rows, columns, to, all);
    }
  });
}

void sum_rows(ConstStridedMatrix b, const Subtrees& subtrees, Range columns, float* c) {
  exact_sum_rows(exact_gemm(), b, subtrees, columns, c);
}

std::string blas_kernel() {
  return openblas_get_corename ? openblas_get_corename() : "";
}

std::string blas_description() {
  return openblas_get_corename ? "OpenBLAS " + blas_kernel() : "CBLAS";
}

void set_blas_threads(int threads) {
  if (openblas_set_num_threads) openblas_set_num_threads(threads);
}

}  // namespace lockstep
