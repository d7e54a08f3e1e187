#define LOCKSTEP_VARIANT avx2
#include "src/kernels/exact_gemm_vector_avx2.inc"
// After the vector of this variant:
#include "src/kernels/exact_convolution.inc"
