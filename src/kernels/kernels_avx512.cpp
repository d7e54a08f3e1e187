#define LOCKSTEP_VARIANT avx512
#include "src/kernels/kernels.inc"
