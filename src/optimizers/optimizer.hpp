#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/core/exact_sum.hpp"
#include "src/optimizers/common_settings.hpp"
#include "src/optimizers/schedule.hpp"

namespace lockstep {

/// RMSprop's three, averages of the weights, accumulated gradients.
inline constexpr std::size_t kMaxSlots = 5;

/// A piece of the parameters with what its update reads and writes; all spans of equal length.
struct UpdateSpan {
  std::span<float> values;
  std::span<const float> gradients;
  std::array<std::span<float>, kMaxSlots> slots;  ///< slot_names().size() of them are used
  float scale = 1;  ///< what clipping by a norm leaves of the gradients
  float ratio = 1;  ///< LAMB's and LARS's trust ratio of the parameter

  UpdateSpan part(std::size_t first, std::size_t count) const;
};

/// Scalar state plus an element-wise update: any cut of the parameters into spans gives the same
/// bits, so each rank may update the spans that it owns. The slots (Adam's m and v) belong to
/// whoever calls update().
///
/// A class adds its rule; what all optimizers can be set to (CommonSettings) is done here, in the
/// order of Keras 3: gradients are accumulated, then clipped; weights decay; the rule; averages.
class Optimizer {
 public:
  explicit Optimizer(std::unique_ptr<Schedule> schedule) : schedule_(std::move(schedule)) {}
  virtual ~Optimizer() = default;

  virtual std::string class_name() const = 0;  ///< Keras's: "Adam"
  /// {"class_name": "Adam", "config": {...}} in Keras's keys.
  nlohmann::ordered_json to_json() const;
  /// Those of the rule, in Keras 2's legacy words: {"m", "v"}; then Keras 3's "average" and
  /// "gradient_accumulator", if there are.
  std::vector<std::string> slot_names() const;
  /// What a slot is filled with before the first step.
  float slot_start(std::size_t slot) const;
  /// The one with the averages that the weights become when training ends (Keras's
  /// finalize_variable_values), if there is.
  std::optional<std::size_t> average_slot() const;
  /// What Keras 3 keeps beside them, behind the slots in files, though iterations() decides it:
  /// Nadam's product.
  virtual std::optional<float> kept_scalar() const { return {}; }

  const CommonSettings& common() const { return common_; }
  /// `standard`: of the class.
  void set_common(const CommonSettings& settings, const CommonSettings& standard);

  /// Fixes this step's scalars: the rate of the schedule at iterations(), then iterations() + 1.
  void begin_step();
  /// Element-wise, for every span exactly once after begin_step().
  void update(const UpdateSpan& span) const;

  // --- Clipping by norms: the caller adds up squares, of a parameter or of all ---

  /// Whether update() wants UpdateSpan::scale in this step.
  bool clips_norms() const { return common_.clips_norms() && updates_; }
  /// Adds the squares of the span's gradients, as the rule would be given them.
  void add_squares(const UpdateSpan& span, ExactSum& sum) const;
  float scale_of(double squares) const;

  // --- Trust ratios (LAMB, LARS): update() is the second half of a step. The caller adds up, for
  // --- each parameter, what begin_update() adds for its spans ---

  /// Sums of squares over a parameter: of its weights, and of what it would move by (LAMB) or of
  /// its gradients (LARS).
  struct TrustSums {
    ExactSum weights, moves;
  };
  virtual bool has_ratios() const { return false; }
  /// Whether update() wants UpdateSpan::ratio in this step.
  bool wants_ratios() const { return has_ratios() && updates_; }
  /// For every span exactly once, before update(): all that comes before the ratio.
  void begin_update(const UpdateSpan& span, TrustSums& sums) const;
  virtual float ratio_of(double /*weights*/, double /*moves*/) const { return 1; }

  // --- Rows of a table that a step does not touch. The whole update is element-wise, so a row may
  // --- be left alone and later be brought to where update() would have brought it, bit for bit ---

  /// Whether the following may be used. Not where 0 / epsilon is none (Adam, epsilon 0), where
  /// weights decay, where several steps make one update.
  bool catches_up() const;
  /// After begin_step(): what the settings do not say of this step: Adam's rate with its
  /// corrections, SGD's rate.
  virtual float step_scalar() const { return 0; }
  /// As update() with gradients of +0, for each of the steps that had these scalars. The span's
  /// gradients are not read, here and below.
  virtual void idle(const UpdateSpan&, std::span<const float>) const {}
  /// Whether so many idle() steps with scalars from +0 up to `most`, a finite number, surely leave
  /// the values as they are. Never true of a value that would move; may be false where none would.
  virtual bool settled(const UpdateSpan&, float, std::int64_t) const { return false; }
  /// What so many idle() steps with such scalars do to the slots.
  virtual void decay(const UpdateSpan&, std::int64_t) const {}

  std::int64_t iterations() const { return iterations_; }
  void set_iterations(std::int64_t iterations) { iterations_ = iterations; }
  /// The rate of the step that comes next.
  double learning_rate() const;
  const Schedule& schedule() const { return *schedule_; }
  /// Replaces the schedule by a constant. Throws Error (64) if it is not a constant
  /// (Keras: "learning_rate is not settable").
  void set_learning_rate(double rate);

 protected:
  /// From here on 1 / epsilon is far from infinite.
  static constexpr float kEpsilonCounts = 1e-30f;
  /// Calls `update` with every block of the span, its gradients +0.
  static void for_zero_gradients(const UpdateSpan& span,
                                 const std::function<void(const UpdateSpan&)>& update);

  /// Updates made before the next one: iterations(), unless several steps make one.
  std::int64_t updates_made() const;
  /// Adds to a config what make_optimizer() reads of it, but the learning rate.
  virtual void write_settings(nlohmann::ordered_json& config) const = 0;
  /// `rate` in float32 as Keras holds it; `t` counts the updates, this one too, so from 1.
  virtual void prepare(float rate, std::int64_t t) = 0;
  virtual std::vector<std::string> rule_slots() const = 0;
  virtual float rule_slot_start(std::size_t) const { return 0; }
  virtual void apply_rule(const UpdateSpan& span) const = 0;
  virtual bool rule_catches_up() const { return false; }
  /// Of a block of at most 1024 floats: the sums of its squares are added without a carry.
  virtual void begin_rule(const UpdateSpan& /*block*/, TrustSums& /*sums*/) const {}

 private:
  std::size_t accumulator_slot() const { return rule_slot_count_ + (common_.use_ema ? 1 : 0); }
  void update_block(const UpdateSpan& block) const;
  void decay_weights(const UpdateSpan& block) const;
  std::span<const float> shaped_gradients(const UpdateSpan& block, std::span<float> memory) const;

  std::unique_ptr<Schedule> schedule_;
  std::int64_t iterations_ = 0;
  CommonSettings common_, standard_;
  bool plain_ = true;                ///< nothing but the rule
  std::size_t rule_slot_count_ = 0;  ///< set unless plain_

  // Of the step under way
  bool updates_ = true;
  float rate_ = 0;
  float average_share_ = 0;  ///< of the old average
  bool overwrites_ = false;
};

/// From a Keras name ("adam", "sgd": default settings) or {"class_name", "config"} (also
/// "Custom>Adam"). Throws Error (65), naming it, for an optimizer or a setting that Lockstep lacks
/// (e.g. loss_scale_factor).
std::unique_ptr<Optimizer> make_optimizer(const nlohmann::ordered_json& json);

}  // namespace lockstep
