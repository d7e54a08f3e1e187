#define LOCKSTEP_VARIANT avx512
#include "src/kernels/exact_gemm_vector_avx512.inc"
// After the vector of this variant:
#include "src/kernels/exact_convolution.inc"
