#define LOCKSTEP_VARIANT portable
#include "src/kernels/exact_gemm_vector_portable.inc"
// After the vector of this variant:
#include "src/kernels/exact_convolution.inc"
