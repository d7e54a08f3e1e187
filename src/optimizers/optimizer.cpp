#include "src/optimizers/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_object.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

/// Floats that are taken through all of an update together: they stay in the first-level cache.
constexpr std::size_t kBlock = 1024;

}  // namespace

UpdateSpan UpdateSpan::part(std::size_t first, std::size_t count) const {
  UpdateSpan part{values.subspan(first, count), {}, {}, scale, ratio};
  if (!gradients.empty()) part.gradients = gradients.subspan(first, count);
  for (std::size_t i = 0; i < kMaxSlots; ++i)
    if (!slots[i].empty()) part.slots[i] = slots[i].subspan(first, count);
  return part;
}

nlohmann::ordered_json Optimizer::to_json() const {
  nlohmann::ordered_json config = {{"name", class_name()}, {"learning_rate", schedule().to_json()}};
  write_common(common_, standard_, config);
  write_settings(config);
  return {{"class_name", class_name()}, {"config", std::move(config)}};
}

void Optimizer::set_common(const CommonSettings& settings, const CommonSettings& standard) {
  common_ = settings;
  standard_ = standard;
  plain_ = common_.weight_decay == 0 && !common_.clips_norms() && common_.clipvalue == 0 &&
           !common_.use_ema && !common_.accumulates() && !has_ratios();
  rule_slot_count_ = rule_slots().size();
}

std::vector<std::string> Optimizer::slot_names() const {
  std::vector<std::string> names = rule_slots();
  if (common_.use_ema) names.emplace_back("average");
  if (common_.accumulates()) names.emplace_back("gradient_accumulator");
  return names;
}

float Optimizer::slot_start(std::size_t slot) const {
  return slot < rule_slots().size() ? rule_slot_start(slot) : 0;
}

std::optional<std::size_t> Optimizer::average_slot() const {
  if (!common_.use_ema) return {};
  return rule_slot_count_;
}

std::int64_t Optimizer::updates_made() const {
  return common_.accumulates() ? iterations_ / common_.gradient_accumulation_steps : iterations_;
}

void Optimizer::begin_step() {
  rate_ = static_cast<float>(learning_rate());
  const std::int64_t before = updates_made();
  average_share_ = before == 0 ? 0 : static_cast<float>(common_.ema_momentum);
  overwrites_ =
      common_.ema_overwrite_frequency > 0 && (before + 1) % common_.ema_overwrite_frequency == 0;
  ++iterations_;
  updates_ = updates_made() > before;
  if (updates_) prepare(rate_, updates_made());
}

void Optimizer::update(const UpdateSpan& span) const {
  if (plain_) return apply_rule(span);
  const std::size_t size = span.values.size();
  for (std::size_t first = 0; first < size; first += kBlock)
    update_block(span.part(first, std::min(kBlock, size - first)));
}

/// As the rule is given them; `memory` for a block.
std::span<const float> Optimizer::shaped_gradients(const UpdateSpan& block,
                                                   std::span<float> memory) const {
  if (!common_.accumulates() && !common_.clips_norms() && common_.clipvalue == 0)
    return block.gradients;
  const auto n = static_cast<std::int64_t>(block.gradients.size());
  const float* gradients = block.gradients.data();
  float* const shaped = memory.data();
  if (common_.accumulates()) {
    const auto steps = static_cast<float>(common_.gradient_accumulation_steps);
    kernels().sum_divided(gradients, block.slots[accumulator_slot()].data(), shaped, n, steps);
    gradients = shaped;
  }
  if (common_.clips_norms()) {
    kernels().scaled(gradients, shaped, n, block.scale);
  } else if (common_.clipvalue > 0) {
    kernels().clipped(gradients, shaped, n, static_cast<float>(common_.clipvalue));
  }
  return memory.first(block.gradients.size());
}

void Optimizer::decay_weights(const UpdateSpan& block) const {
  if (common_.weight_decay == 0) return;
  kernels().decay_weights(block.values.data(), static_cast<std::int64_t>(block.values.size()),
                          static_cast<float>(common_.weight_decay), rate_);
}

void Optimizer::begin_update(const UpdateSpan& span, TrustSums& sums) const {
  std::array<float, kBlock> memory;
  const std::size_t size = span.values.size();
  for (std::size_t first = 0; first < size; first += kBlock) {
    UpdateSpan block = span.part(first, std::min(kBlock, size - first));
    block.gradients = shaped_gradients(block, memory);
    decay_weights(block);
    begin_rule(block, sums);
    sums.weights.normalize();
    sums.moves.normalize();
  }
}

void Optimizer::update_block(const UpdateSpan& block) const {
  const auto n = static_cast<std::int64_t>(block.values.size());
  float* const values = block.values.data();
  if (updates_) {
    std::array<float, kBlock> memory;
    UpdateSpan shaped = block;
    shaped.gradients = shaped_gradients(block, memory);
    if (!has_ratios()) decay_weights(block);
    apply_rule(shaped);
    if (common_.accumulates()) std::ranges::fill(block.slots[accumulator_slot()], 0.0f);
  } else {
    float* const accumulated = block.slots[accumulator_slot()].data();
    kernels().sum(accumulated, block.gradients.data(), accumulated, n);
  }
  if (!average_slot()) return;
  const std::span<float> averages = block.slots[*average_slot()];
  kernels().average_weights(values, averages.data(), n, average_share_);
  if (overwrites_) std::ranges::copy(averages, values);
}

void Optimizer::add_squares(const UpdateSpan& span, ExactSum& sum) const {
  std::array<float, kBlock> memory;
  std::int64_t added = 0;
  const std::size_t size = span.gradients.size();
  for (std::size_t first = 0; first < size; first += kBlock) {
    UpdateSpan block = span.part(first, std::min(kBlock, size - first));
    block.scale = 1;
    for (const float gradient : shaped_gradients(block, memory)) sum.add_square(gradient);
    added += static_cast<std::int64_t>(block.gradients.size());
    if (added + static_cast<std::int64_t>(kBlock) > ExactSum::kTogether) {
      sum.normalize();
      added = 0;
    }
  }
  sum.normalize();
}

float Optimizer::scale_of(double squares) const {
  const double most = common_.clipnorm > 0 ? common_.clipnorm : common_.global_clipnorm;
  const double norm = std::sqrt(squares);
  if (norm <= most) return 1;
  return static_cast<float>(most / norm);
}

bool Optimizer::catches_up() const {
  return common_.weight_decay == 0 && !common_.clips_norms() && !common_.use_ema &&
         !common_.accumulates() && rule_catches_up();
}

void Optimizer::for_zero_gradients(const UpdateSpan& span,
                                   const std::function<void(const UpdateSpan&)>& update) {
  static constexpr std::array<float, kBlock> kZeros{};
  const std::size_t size = span.values.size();
  for (std::size_t first = 0; first < size; first += kBlock) {
    UpdateSpan block = span.part(first, std::min(kBlock, size - first));
    block.gradients = std::span(kZeros).first(block.values.size());
    update(block);
  }
}

double Optimizer::learning_rate() const {
  return schedule_->rate(iterations_);
}

void Optimizer::set_learning_rate(double rate) {
  const nlohmann::ordered_json json = schedule_->to_json();
  if (!json.is_number()) {
    fail(ExitCode::kUsage,
         "[{}] expected a constant learning rate, which can be set, got a schedule: {}",
         class_name(), describe(json["class_name"]));
  }
  schedule_ = constant_rate(rate);
}

}  // namespace lockstep
