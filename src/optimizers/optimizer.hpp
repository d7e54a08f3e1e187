#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "src/optimizers/schedule.hpp"

namespace lockstep {

inline constexpr std::size_t kMaxSlots = 3;

/// A piece of the parameters with what its update reads and writes; all spans of equal length.
struct UpdateSpan {
  std::span<float> values;
  std::span<const float> gradients;
  std::array<std::span<float>, kMaxSlots> slots;  ///< slot_names().size() of them are used
};

/// Scalar state plus an element-wise update: any cut of the parameters into spans gives the same
/// bits, so each rank may update the spans that it owns. The slots (Adam's m and v) belong to
/// whoever calls update().
class Optimizer {
 public:
  explicit Optimizer(std::unique_ptr<Schedule> schedule) : schedule_(std::move(schedule)) {}
  virtual ~Optimizer() = default;

  virtual std::string class_name() const = 0;  ///< Keras's: "Adam"
  /// {"class_name": "Adam", "config": {...}} in Keras's keys.
  nlohmann::ordered_json to_json() const;
  /// Keras 2's legacy slot names: {"m", "v"}.
  virtual std::vector<std::string> slot_names() const = 0;

  /// Fixes this step's scalars: the rate of the schedule at iterations(), then iterations() + 1.
  void begin_step();
  /// Element-wise, for every span exactly once after begin_step().
  virtual void update(const UpdateSpan& span) const = 0;

  std::int64_t iterations() const { return iterations_; }
  void set_iterations(std::int64_t iterations) { iterations_ = iterations; }
  /// The rate of the step that comes next.
  double learning_rate() const;
  const Schedule& schedule() const { return *schedule_; }
  /// Replaces the schedule by a constant. Throws Error (64) if it is not a constant
  /// (Keras: "learning_rate is not settable").
  void set_learning_rate(double rate);

 protected:
  /// Adds to a config what make_optimizer() reads of it, but the learning rate.
  virtual void write_settings(nlohmann::ordered_json& config) const = 0;
  /// `rate` in float32 as Keras holds it; `t` = iterations() after begin_step(), so from 1.
  virtual void prepare(float rate, std::int64_t t) = 0;

 private:
  std::unique_ptr<Schedule> schedule_;
  std::int64_t iterations_ = 0;
};

/// From a Keras name ("adam", "sgd": default settings) or {"class_name", "config"} (also
/// "Custom>Adam"). Throws Error (65), naming it, for an optimizer or a setting that Lockstep lacks
/// (e.g. clipnorm).
std::unique_ptr<Optimizer> make_optimizer(const nlohmann::ordered_json& json);

}  // namespace lockstep
