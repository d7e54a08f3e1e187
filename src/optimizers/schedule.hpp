#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "src/optimizers/setting.hpp"

namespace lockstep {

/// The learning rate as a pure function of the optimizer steps done before this one.
class Schedule {
 public:
  virtual ~Schedule() = default;
  virtual double rate(std::int64_t step) const = 0;
  /// A JSON float for a constant, else {"class_name": "ExponentialDecay", "config": {...}}.
  virtual nlohmann::ordered_json to_json() const = 0;
};

std::unique_ptr<Schedule> constant_rate(double rate);

/// All that there are, by the words of --learning-rate-schedule; of a constant without a class.
/// Not among their settings: the first rate, where that is --learning-rate.
const std::vector<Choosable>& known_schedules();

/// From a number, or {"class_name", "config"} of one of Keras's schedules, in Keras 2's or 3's
/// form. Throws Error (65) by name otherwise.
std::unique_ptr<Schedule> make_schedule(const nlohmann::ordered_json& json);

}  // namespace lockstep
