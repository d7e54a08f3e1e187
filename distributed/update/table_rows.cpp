#include "distributed/update/table_rows.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

/// Steps between two looks whether a row has settled.
constexpr std::int64_t kTogether = 32;
/// How far ahead a row is known to be settled that nobody looks at again.
constexpr std::int64_t kQuietSteps = 4096;
constexpr float kQuietRise = 16;

}  // namespace

TableRows::TableRows(Objective& objective, std::span<const Table> tables, const RowShare& share,
                     std::vector<std::array<float*, kMaxSlots>> slots)
    : objective_(objective), tables_(tables), share_(share), slots_(std::move(slots)) {
  for (const Table& table : tables)
    at_.emplace_back(static_cast<std::size_t>(share.count(table.rows)));
  if (!tables.empty()) log_.reserve(static_cast<std::size_t>(kLogged));
}

std::int64_t TableRows::bytes(std::span<const Table> tables, const RowShare& share) {
  std::int64_t numbers = tables.empty() ? 0 : kLogged;
  for (const Table& table : tables) numbers += share.count(table.rows);
  return numbers * static_cast<std::int64_t>(sizeof(std::int32_t));
}

UpdateSpan TableRows::span_of(std::size_t table, std::int64_t row) const {
  const auto features = static_cast<std::size_t>(tables_[table].features);
  UpdateSpan span{
      tables_[table].parameter->value.subspan(static_cast<std::size_t>(row) * features, features),
      {},
      {}};
  for (std::size_t i = 0; i < kMaxSlots; ++i)
    if (float* const first = slots_[table][i])
      span.slots[i] = {first + static_cast<std::size_t>(share_.index(row)) * features, features};
  return span;
}

std::int32_t& TableRows::at(std::size_t table, std::int64_t row) {
  return at_[table][static_cast<std::size_t>(share_.index(row))];
}

void TableRows::begin() {
  for (auto& rows : at_) std::ranges::fill(rows, 0);
  now_ = logged_from_ = 0;
  log_.clear();
  most_ = 0;
  usual_ = true;
  quiet_until_ = -1;
  values_behind_ = slots_behind_ = false;
}

void TableRows::begin_step() {
  if (now_ - logged_from_ >= kLogged) catch_up_values();
  const float scalar = objective_.optimizer().step_scalar();
  log_.push_back(scalar);
  most_ = std::max(most_, scalar);
  usual_ = usual_ && std::isfinite(scalar) && !std::signbit(scalar);
  ++now_;
  values_behind_ = slots_behind_ = true;
}

/// Takes a row that stands at a step on to a later one.
std::int32_t TableRows::after(const UpdateSpan& span, std::int64_t stands_at,
                              std::int64_t step) const {
  const Optimizer& optimizer = objective_.optimizer();
  while (stands_at < step) {
    if (usual_ && optimizer.settled(span, most_, step - stands_at)) {
      optimizer.decay(span, step - stands_at);
      break;
    }
    if (stands_at < logged_from_) {  // the values are beyond that
      optimizer.decay(span, logged_from_ - stands_at);
      stands_at = logged_from_;
      continue;
    }
    const std::int64_t count = std::min(kTogether, step - stands_at);
    optimizer.idle(span, std::span(log_).subspan(static_cast<std::size_t>(stands_at - logged_from_),
                                                 static_cast<std::size_t>(count)));
    stands_at += count;
  }
  return static_cast<std::int32_t>(step);
}

void TableRows::catch_up(std::size_t table, std::int64_t row) {
  std::int32_t& stands_at = at(table, row);
  if (stands_at < now_ - 1) stands_at = after(span_of(table, row), stands_at, now_ - 1);
}

void TableRows::prefetch(std::size_t table, std::int64_t row) const {
  const UpdateSpan span = span_of(table, row);
  for (std::size_t i = 0; i < span.values.size(); i += 16) {
    __builtin_prefetch(span.values.data() + i, 1);
    for (const std::span<float> slot : span.slots)
      if (!slot.empty()) __builtin_prefetch(slot.data() + i, 1);
  }
  __builtin_prefetch(at_[table].data() + share_.index(row), 1);
}

void TableRows::update(std::size_t table, std::int64_t row, std::span<const float> gradient) {
  catch_up(table, row);
  UpdateSpan span = span_of(table, row);
  span.gradients = gradient;
  objective_.optimizer().update(span);
  at(table, row) = static_cast<std::int32_t>(now_);
}

void TableRows::catch_up_values() {
  if (!values_behind_) return;
  // Not a number is no larger than anything.
  const bool all = !usual_ || now_ > quiet_until_ || !(most_ <= quiet_most_);
  if (all) {
    quiet_until_ = now_ + kQuietSteps;
    quiet_most_ = kQuietRise * most_;
  }
  const Optimizer& optimizer = objective_.optimizer();
  for (std::size_t table = 0; table < tables_.size(); ++table)
    for (std::size_t i = 0; i < at_[table].size(); ++i) {
      std::int32_t& stands_at = at_[table][i];
      if (stands_at == now_ || (!all && stands_at < logged_from_)) continue;
      const UpdateSpan span = span_of(table, share_.row(static_cast<std::int64_t>(i)));
      if (usual_ && optimizer.settled(span, quiet_most_, quiet_until_ - stands_at)) continue;
      stands_at = after(span, stands_at, now_);
    }
  logged_from_ = now_;
  log_.clear();
  most_ = 0;
  usual_ = true;
  values_behind_ = false;
}

void TableRows::catch_up_all() {
  if (!slots_behind_) return;
  for (std::size_t table = 0; table < tables_.size(); ++table)
    for (std::size_t i = 0; i < at_[table].size(); ++i) {
      std::int32_t& stands_at = at_[table][i];
      if (stands_at < now_)
        stands_at =
            after(span_of(table, share_.row(static_cast<std::int64_t>(i))), stands_at, now_);
    }
  logged_from_ = now_;
  log_.clear();
  most_ = 0;
  usual_ = true;
  values_behind_ = slots_behind_ = false;
}

}  // namespace lockstep
