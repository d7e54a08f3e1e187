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

  // --- Rows of a table that a step does not touch. The whole update is element-wise, so a row may
  // --- be left alone and later be brought to where update() would have brought it, bit for bit ---

  /// Whether the following may be used. Not where 0 / epsilon is none (Adam, epsilon 0).
  virtual bool catches_up() const = 0;
  /// After begin_step(): what the settings do not say of this step: Adam's rate with its
  /// corrections, SGD's rate.
  virtual float step_scalar() const = 0;
  /// As update() with gradients of +0, for each of the steps that had these scalars. The span's
  /// gradients are not read, here and below.
  virtual void idle(const UpdateSpan& span, std::span<const float> scalars) const = 0;
  /// Whether so many idle() steps with scalars from +0 up to `most`, a finite number, surely leave
  /// the values as they are. Never true of a value that would move; may be false where none would.
  virtual bool settled(const UpdateSpan& span, float most, std::int64_t steps) const = 0;
  /// What so many idle() steps with such scalars do to the slots.
  virtual void decay(const UpdateSpan& span, std::int64_t steps) const = 0;

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
