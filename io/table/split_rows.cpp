#include "io/table/split_rows.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "io/data/sample_order.hpp"
#include "src/core/error.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

/// The rows of one class by their positions, and how many are drawn.
struct ClassRows {
  std::vector<std::size_t> positions;
  std::size_t drawn = 0;
  double rest = 0;  ///< of its share, after rounding down

  bool can_give() const { return drawn + 1 < positions.size(); }
};

/// Shares `total` among the classes, by the largest remainders; ties go to the lower class.
void share_out(std::map<std::int64_t, ClassRows>& classes, std::size_t total, double fraction) {
  std::size_t left = total;
  std::vector<ClassRows*> order;
  for (auto& [name, rows] : classes) {
    const double share = static_cast<double>(rows.positions.size()) * fraction;
    const std::size_t most = classes.size() == 1 ? total : rows.positions.size() - 1;
    rows.drawn = std::min({static_cast<std::size_t>(share), most, left});
    rows.rest = share - static_cast<double>(rows.drawn);
    left -= rows.drawn;
    order.push_back(&rows);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const ClassRows* a, const ClassRows* b) { return a->rest > b->rest; });
  for (bool given = true; left > 0 && given;) {
    given = false;
    for (ClassRows* rows : order) {
      if (left == 0) break;
      if (!rows->can_give()) continue;
      ++rows->drawn;
      --left;
      given = true;
    }
  }
}

/// The label of each row, if it is one of few integers: else rows are drawn without classes.
std::vector<std::int64_t> classes_of(const Array& y) {
  if (y.type != ElementType::kInt64 || !y.row_shape.empty()) return {};
  std::vector<std::int64_t> values(static_cast<std::size_t>(y.rows));
  std::memcpy(values.data(), y.bytes.data(), y.bytes.size());
  const std::set<std::int64_t> distinct(values.begin(), values.end());
  return 2 * distinct.size() <= values.size() ? values : std::vector<std::int64_t>();
}

}  // namespace

RowParts draw_rows(std::span<const std::size_t> rows, std::span<const std::int64_t> classes,
                   double fraction, std::uint64_t seed) {
  const std::size_t count = rows.size();
  check(count > 1, ExitCode::kUsage, "[import] expected at least two rows to draw from, got {}",
        count);
  const auto wanted = static_cast<std::size_t>(static_cast<double>(count) * fraction + 0.5);
  const std::size_t total = std::clamp<std::size_t>(wanted, 1, count - 1);
  std::map<std::int64_t, ClassRows> by_class;
  for (std::size_t i = 0; i < count; ++i)
    by_class[classes.empty() ? 0 : classes[i]].positions.push_back(i);
  share_out(by_class, total, fraction);

  // Of each class those with the lowest random numbers, which are a function of seed and position.
  const RandomStream random(seed, Purpose::kSplit, 0);
  std::vector<bool> drawn(count, false);
  for (auto& [name, part] : by_class) {
    std::vector<std::tuple<std::uint32_t, std::uint32_t, std::size_t>> keys;
    for (const std::size_t position : part.positions) {
      const auto words = random.words(position);
      keys.emplace_back(words[0], words[1], position);
    }
    std::sort(keys.begin(), keys.end());
    for (std::size_t i = 0; i < part.drawn; ++i) drawn[std::get<2>(keys[i])] = true;
  }
  RowParts parts;
  for (std::size_t i = 0; i < count; ++i) (drawn[i] ? parts.drawn : parts.kept).push_back(rows[i]);
  return parts;
}

RowParts cut_last_rows(std::span<const std::size_t> rows, double fraction) {
  const auto cut =
      static_cast<std::size_t>(training_rows(static_cast<std::int64_t>(rows.size()), fraction));
  return {{rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(cut)},
          {rows.begin() + static_cast<std::ptrdiff_t>(cut), rows.end()}};
}

SplitRows split_rows(std::vector<std::size_t> rows,
                     const std::function<Array(const std::vector<std::size_t>&)>& labels,
                     const TableSplit& split) {
  SplitRows part{std::move(rows), {}, {}};
  const auto take = [&](RowParts parts, std::vector<std::size_t>& drawn) {
    drawn = std::move(parts.drawn);
    part.train = std::move(parts.kept);
  };
  const auto draw = [&](double fraction) {
    return draw_rows(part.train, classes_of(labels(part.train)), fraction, split.seed);
  };
  if (split.test > 0) take(draw(split.test), part.test);
  if (split.test_last > 0) take(cut_last_rows(part.train, split.test_last), part.test);
  if (split.validation > 0) take(draw(split.validation), part.validation);
  return part;
}

}  // namespace lockstep
