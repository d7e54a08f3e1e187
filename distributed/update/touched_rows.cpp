#include "distributed/update/touched_rows.hpp"

#include <algorithm>
#include <bit>

namespace lockstep {

std::size_t TouchedRows::slots(std::int64_t most) {
  return std::bit_ceil(static_cast<std::size_t>(2 * most + 1));
}

TouchedRows::TouchedRows(std::int64_t most) : found_(slots(most), kNone) {
  rows_.reserve(static_cast<std::size_t>(most));
  places_.reserve(static_cast<std::size_t>(most));
}

std::int64_t TouchedRows::bytes(std::int64_t most) {
  return static_cast<std::int64_t>(slots(most) * sizeof(std::int32_t)) +
         most * static_cast<std::int64_t>(sizeof(Row) + sizeof(Place));
}

void TouchedRows::clear() {
  std::ranges::fill(found_, kNone);
  rows_.clear();
  places_.clear();
}

void TouchedRows::add(std::int64_t row, const Place& place) {
  const auto number = static_cast<std::int32_t>(places_.size());
  places_.push_back(place);
  const std::size_t mask = found_.size() - 1;
  std::size_t slot = (static_cast<std::uint64_t>(row) * 0x9e3779b97f4a7c15u >> 32) & mask;
  while (found_[slot] != kNone && rows_[static_cast<std::size_t>(found_[slot])].row != row)
    slot = (slot + 1) & mask;
  if (found_[slot] == kNone) {
    found_[slot] = static_cast<std::int32_t>(rows_.size());
    rows_.push_back({row, number, number});
    return;
  }
  Row& known = rows_[static_cast<std::size_t>(found_[slot])];
  places_[static_cast<std::size_t>(known.last)].next = number;
  known.last = number;
}

}  // namespace lockstep
