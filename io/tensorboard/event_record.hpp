#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

// Records of TensorBoard's event files: TFRecords, each with an Event of Protocol Buffers.

/// The first one of a file.
std::string version_record(double wall_time);
/// One number, as tf.summary.scalar() writes it.
std::string scalar_record(double wall_time, std::int64_t step, const std::string& tag,
                          double value);
/// How numbers are distributed over 30 buckets, as tf.summary.histogram() writes it; empty if one
/// of them is not finite, which it has no bucket for.
std::string histogram_record(double wall_time, std::int64_t step, const std::string& tag,
                             std::span<const float> values);

/// The records that stand whole at the beginning of a file, up to the first that is not below a
/// step.
struct EventRecords {
  std::size_t bytes = 0;
  std::int64_t last_step = -1;  ///< of those with a number
  bool later = false;           ///< whole ones follow, of that step or later
};
EventRecords records_before(std::string_view file, std::int64_t step);

}  // namespace lockstep
