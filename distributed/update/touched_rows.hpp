#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

/// The rows of a table that something names, in the order in which they are first named, each with
/// all places that name it, in the order of their coming. Small, so that it stays in the cache
/// however large the table.
class TouchedRows {
 public:
  static constexpr std::int32_t kNone = -1;
  /// What names a row; what the numbers mean is up to the caller.
  struct Place {
    std::int32_t subtree = 0, leaf = 0, use = 0, at = 0;
    std::int32_t next = kNone;
  };
  struct Row {
    std::int64_t row;
    std::int32_t first, last;  ///< of its places
  };

  TouchedRows() = default;
  /// `most`: places.
  explicit TouchedRows(std::int64_t most);
  static std::int64_t bytes(std::int64_t most);

  void clear();
  void add(std::int64_t row, const Place& place);
  std::span<const Row> rows() const { return rows_; }
  const Place& place(std::int32_t i) const { return places_[static_cast<std::size_t>(i)]; }

 private:
  static std::size_t slots(std::int64_t most);

  std::vector<std::int32_t> found_;  ///< a hash table of indices into rows_
  std::vector<Row> rows_;
  std::vector<Place> places_;
};

}  // namespace lockstep
