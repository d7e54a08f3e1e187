#pragma once

#include <cstdint>
#include <span>

namespace lockstep {

#ifdef LOCKSTEP_FAULTS
/// A place where tests make a rank fail: LOCKSTEP_FAULT=point:rank:step:action does `action` at the
/// first fault_point() of that name, rank and step. Actions: kill, segv, bus, abort (signals), exit
/// (with 0), throw (std::runtime_error), bad_alloc, error (Error 74), pause (5 s, then it goes on).
/// Compiled in by CMake's LOCKSTEP_FAULTS only.
void fault_point(const char* point, int rank, std::int64_t step);
/// The same with one action more: flip, the lowest bit of the first of these numbers.
void fault_point(const char* point, int rank, std::int64_t step, std::span<float> numbers);
#else
inline void fault_point(const char*, int, std::int64_t) {}
inline void fault_point(const char*, int, std::int64_t, std::span<float>) {}
#endif

}  // namespace lockstep
