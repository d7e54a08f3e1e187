#include "src/parameters/constraint.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/keras_config.hpp"
#include "src/core/range.hpp"

namespace lockstep {
namespace {

using Kind = Constraint::Kind;

/// Keras's backend.epsilon().
constexpr float kEpsilon = 1e-7f;

struct Known {
  Kind kind;
  const char* class_name;
  std::vector<std::string> other_names;
};

const std::vector<Known>& known_constraints() {
  static const std::vector<Known> all = {{Kind::kMaxNorm, "MaxNorm", {"max_norm", "maxnorm"}},
                                         {Kind::kNonNeg, "NonNeg", {"non_neg", "nonneg"}},
                                         {Kind::kUnitNorm, "UnitNorm", {"unit_norm", "unitnorm"}},
                                         {Kind::kMinMaxNorm, "MinMaxNorm", {"min_max_norm"}}};
  return all;
}

std::vector<Known>::const_iterator find_known(const std::string& name) {
  return std::ranges::find_if(known_constraints(), [&](const Known& each) {
    return name == each.class_name ||
           std::ranges::find(each.other_names, name) != each.other_names.end();
  });
}

/// Keras 1 writes the name beside the settings.
KerasObject name_and_config(const nlohmann::ordered_json& json) {
  if (!json.is_object() || json.contains("class_name") || !json.contains("name"))
    return keras_object(json, "constraint");
  nlohmann::ordered_json newer = {{"class_name", json["name"]}, {"config", json}};
  newer["config"].erase("name");
  return keras_object(newer, "constraint");
}

/// By Keras's key, or else by Keras 1's.
double read_value(KerasConfig& config, const char* key, const char* old_key, double fallback) {
  const char* const there = old_key != nullptr && config.find(old_key) ? old_key : key;
  return config.number(there, fallback, kNotNegativeFloat);
}

void read_axes(KerasConfig& config, Constraint& constraint) {
  constexpr std::int64_t kMost = 32;
  if (config.is_null("axis")) {
    config.ignore({"axis"});
    constraint.axes.reset();
    return;
  }
  const nlohmann::ordered_json* const axis = config.find("axis");
  if (axis == nullptr) return;
  constraint.axis_is_list = axis->is_array();
  const auto refuse = [&] {
    config.object_to("axis", "an axis of the weight, such as 0, or a list of axes",
                     describe(*axis));
  };
  std::vector<std::int64_t> axes;
  for (const auto& each : axis->is_array() ? *axis : nlohmann::ordered_json::array({*axis})) {
    if (!each.is_number_integer() || each < -kMost || each >= kMost) return refuse();
    axes.push_back(each.get<std::int64_t>());
  }
  constraint.axes = std::move(axes);
}

}  // namespace

nlohmann::ordered_json Constraint::to_json() const {
  if (!active()) return nullptr;
  nlohmann::ordered_json config = nlohmann::ordered_json::object();
  if (kind == Kind::kMinMaxNorm) config["min_value"] = min_value;
  if (kind == Kind::kMaxNorm || kind == Kind::kMinMaxNorm) config["max_value"] = max_value;
  if (kind == Kind::kMinMaxNorm) config["rate"] = rate;
  if (has_norms()) {
    if (!axes)
      config["axis"] = nullptr;
    else if (axis_is_list)
      config["axis"] = *axes;
    else
      config["axis"] = axes->front();
  }
  const auto known = std::ranges::find(known_constraints(), kind, &Known::kind);
  return {{"class_name", known->class_name}, {"config", std::move(config)}};
}

void Constraint::check_axes(const std::string& where, const std::string& weight,
                            const Shape& shape) const {
  if (!has_norms() || !axes) return;
  const auto rank = std::ssize(shape);
  std::vector<std::int64_t> seen;
  for (const std::int64_t axis : *axes) {
    check(axis >= -rank && axis < rank, ExitCode::kBadData,
          "[{}] expected a constraint over axes from 0 to {} of {} {}, got axis {}", where,
          rank - 1, weight, to_string(shape), axis);
    seen.push_back(axis < 0 ? axis + rank : axis);
  }
  std::ranges::sort(seen);
  check(std::ranges::adjacent_find(seen) == seen.end(), ExitCode::kBadData,
        "[{}] expected a constraint over axes of {} {} that differ, got {}", where, weight,
        to_string(shape), to_string(*axes));
}

bool is_known_constraint(const nlohmann::ordered_json& json) {
  return json.is_null() || find_known(name_and_config(json).name) != known_constraints().end();
}

Constraint make_constraint(const nlohmann::ordered_json& json) {
  Constraint constraint;
  if (json.is_null()) return constraint;
  const KerasObject object = name_and_config(json);
  const auto known = find_known(object.name);
  check(known != known_constraints().end(), ExitCode::kBadData,
        "[constraint] expected one of MaxNorm, NonNeg, UnitNorm, MinMaxNorm, got '{}'",
        object.name);
  constraint.kind = known->kind;
  KerasConfig config(object.config, settings_of(known->class_name));
  if (constraint.kind == Kind::kMaxNorm)
    constraint.max_value = read_value(config, "max_value", "m", 2);
  if (constraint.kind == Kind::kMinMaxNorm) {
    constraint.min_value = read_value(config, "min_value", "low", 0);
    constraint.max_value = read_value(config, "max_value", "high", 1);
    constraint.rate = config.number("rate", 1.0);
    if (constraint.min_value > constraint.max_value)
      config.object_to("min_value", "at most max_value",
                       fmt::format("{} and {}", constraint.min_value, constraint.max_value));
  }
  if (constraint.has_norms()) read_axes(config, constraint);
  config.finish();
  return constraint;
}

// --- Applying it ---

ConstraintPass::ConstraintPass(const Constraint& constraint, const Shape& shape)
    : constraint_(constraint) {
  constraint.check_axes("constraint", "a weight", shape);
  const auto rank = std::ssize(shape);
  std::vector<bool> summed(shape.size(), constraint.has_norms() && !constraint.axes);
  if (constraint.has_norms() && constraint.axes)
    for (const std::int64_t axis : *constraint.axes)
      summed[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = true;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!axes_.empty() && axes_.back().summed == summed[axis])
      axes_.back().extent *= shape[axis];
    else
      axes_.push_back({shape[axis], summed[axis], 0, 0});
  }
  if (axes_.empty()) axes_.push_back({1, false, 0, 0});
  std::int64_t stride = 1, norms = 1;
  for (std::size_t axis = axes_.size(); axis-- > 0;) {
    axes_[axis].stride = stride;
    axes_[axis].norm_stride = axes_[axis].summed ? 0 : norms;
    stride *= axes_[axis].extent;
    if (!axes_[axis].summed) norms *= axes_[axis].extent;
  }
  at_.reserve(axes_.size());
  if (!constraint.has_norms()) return;
  squares_.resize(static_cast<std::size_t>(norms));
  factors_.resize(static_cast<std::size_t>(norms));
}

/// The longest axis that is not summed over is shared.
void ConstraintPass::take_part(int part, int parts) {
  Axis* shared = nullptr;
  for (Axis& axis : axes_) {
    axis.first = 0;
    axis.last = axis.extent;
    if (!axis.summed && (shared == nullptr || axis.extent > shared->extent)) shared = &axis;
  }
  if (shared == nullptr) {
    if (part > 0) axes_.front().last = 0;
    return;
  }
  const Range own = share(shared->extent, part, parts);
  shared->first = own.first;
  shared->last = own.last;
}

/// run(first element, first norm, number) of what stands together along the last axis.
template <class Run>
void ConstraintPass::for_runs(const Run& run) {
  if (std::ranges::any_of(axes_, [](const Axis& axis) { return axis.first == axis.last; })) return;
  at_.clear();
  for (const Axis& axis : axes_) at_.push_back(axis.first);
  const Axis& last = axes_.back();
  for (;;) {
    std::int64_t element = 0, norm = 0;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      element += at_[i] * axes_[i].stride;
      norm += at_[i] * axes_[i].norm_stride;
    }
    run(element, norm, last.last - last.first);
    std::size_t i = axes_.size() - 1;
    while (i > 0 && ++at_[i - 1] == axes_[i - 1].last) {
      at_[i - 1] = axes_[i - 1].first;
      --i;
    }
    if (i == 0) return;
  }
}

float ConstraintPass::factor_of(double squares) const {
  const auto norm = static_cast<float>(std::sqrt(squares));
  if (constraint_.kind == Kind::kUnitNorm) return kEpsilon + norm;
  const auto most = static_cast<float>(constraint_.max_value);
  if (constraint_.kind == Kind::kMaxNorm) return std::min(norm, most) / (kEpsilon + norm);
  const auto least = static_cast<float>(constraint_.min_value);
  const auto rate = static_cast<float>(constraint_.rate);
  const float desired =
      rate * std::clamp(norm, least, most) + static_cast<float>(1 - constraint_.rate) * norm;
  return desired / (kEpsilon + norm);
}

void ConstraintPass::apply(std::span<float> weight, int part, int parts) {
  take_part(part, parts);
  float* const w = weight.data();
  if (!constraint_.has_norms()) {
    for_runs([&](std::int64_t first, std::int64_t, std::int64_t count) {
      for (std::int64_t i = first; i < first + count; ++i) w[i] = w[i] < 0 ? 0.0f : w[i];
    });
    return;
  }
  const bool ends_in_norms = !axes_.back().summed;
  const bool divides = constraint_.kind == Kind::kUnitNorm;
  std::ranges::fill(squares_, 0.0);
  for_runs([&](std::int64_t first, std::int64_t norm, std::int64_t count) {
    double* const squares = squares_.data() + norm;
    if (ends_in_norms) {
      for (std::int64_t i = 0; i < count; ++i) {
        const auto x = static_cast<double>(w[first + i]);
        squares[i] += x * x;
      }
      return;
    }
    double sum = *squares;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto x = static_cast<double>(w[first + i]);
      sum += x * x;
    }
    *squares = sum;
  });
  for (std::size_t i = 0; i < squares_.size(); ++i) factors_[i] = factor_of(squares_[i]);
  for_runs([&](std::int64_t first, std::int64_t norm, std::int64_t count) {
    const float* const factors = factors_.data() + norm;
    for (std::int64_t i = 0; i < count; ++i) {
      const float factor = factors[ends_in_norms ? i : 0];
      w[first + i] = divides ? w[first + i] / factor : w[first + i] * factor;
    }
  });
}

}  // namespace lockstep
