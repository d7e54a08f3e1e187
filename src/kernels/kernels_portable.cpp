#define LOCKSTEP_VARIANT portable
#include "src/kernels/kernels.inc"
