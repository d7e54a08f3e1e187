#include "distributed/ranks/setup_check.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/hash.hpp"
#include "src/core/range.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

/// Adds up what the ranks found in their shares; CollectiveError (65) if that is anything.
void refuse(const Communicator& communicator, const Findings& mine, const std::string& label,
            const std::string& expected) {
  const std::int64_t count = communicator.all_sum(mine.count);
  if (count == 0) return;
  const std::int64_t none = std::numeric_limits<std::int64_t>::max();
  const std::int64_t first = communicator.all_min(mine.count > 0 ? mine.first_row : none);
  std::string example;
  for (const std::string& text :
       communicator.all_gather(mine.count > 0 && mine.first_row == first ? mine.example : ""))
    if (example.empty()) example = text;
  throw CollectiveError(
      ExitCode::kBadData,
      fmt::format("[data] {}: expected {}, got {} in {} value{}, the first one in row {}", label,
                  expected, example, count, count == 1 ? "" : "s", first));
}

}  // namespace

void check_same_everywhere(const Communicator& communicator, const std::string& what,
                           const std::string& value) {
  const auto values = communicator.all_gather(value);
  for (std::size_t rank = 1; rank < values.size(); ++rank)
    check_collectively(values[rank] == values[0], ExitCode::kDisagreement,
                       "[ranks] expected the same {} on every rank, got {} on rank 0 and {} on "
                       "rank {}",
                       what, values[0], values[rank], rank);
}

void check_data(const Communicator& communicator, const Network& model, const ArrayDataset& data,
                const std::string& x_label, const std::string& y_label,
                const std::string& weights_label) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  const TargetKind kind = model.loss().target_kind();
  together(communicator, [&] {
    check_shapes(data.x, data.y, model.input_shape(), model.output_shape(), kind, x_label, y_label);
  });
  const Range mine = share(data.rows(), communicator.rank(), communicator.size());
  if (data.is_weighted()) {
    together(communicator, [&] {
      check_weight_shape(data.weights, data.y, model.output_shape(), weights_label, y_label);
    });
    refuse(communicator,
           find_outside(data.weights, mine.first, mine.last, 0, std::numeric_limits<float>::max()),
           weights_label, "weights from 0 on");
  }
  refuse(communicator, find_not_finite(data.x, mine.first, mine.last), x_label, "finite numbers");
  for (const auto& [limit, layer] : model.graph().input_indices()) {
    Findings ids = find_bad_labels(data.x, mine.first, mine.last, limit);
    ids.example += fmt::format(" at position {}", ids.position);
    refuse(communicator, ids, x_label,
           fmt::format("token ids from 0 to {} for layer {}", limit - 1, layer));
  }
  if (kind == TargetKind::kClasses) {
    refuse(communicator, find_bad_labels(data.y, mine.first, mine.last, model.output_columns()),
           y_label, fmt::format("class indices from 0 to {}", model.output_columns() - 1));
    return;
  }
  refuse(communicator, find_not_finite(data.y, mine.first, mine.last), y_label, "finite numbers");
  const std::string loss = model.loss().name();
  const auto expect = [&](double low, double high, const std::string& what) {
    refuse(communicator, find_outside(data.y, mine.first, mine.last, low, high), y_label, what);
  };
  constexpr double kAny = std::numeric_limits<double>::infinity();
  if (loss == "binary_crossentropy" || loss == "binary_focal_crossentropy")
    expect(0, 1,
           fmt::format("probabilities from 0 to 1 for {} (class indices want "
                       "sparse_categorical_crossentropy with a softmax, other numbers "
                       "mean_squared_error)",
                       loss));
  if (loss == "categorical_crossentropy" || loss == "categorical_focal_crossentropy")
    expect(0, kAny, fmt::format("probabilities, so numbers from 0 on, for {}", loss));
  if (loss == "hinge" || loss == "squared_hinge")
    expect(-1, 1, fmt::format("-1 and 1, or 0 and 1, for {}", loss));
}

std::string describe_shape(const ArrayDataset& data) {
  const auto describe = [](const ArrayView& array) {
    return fmt::format("{} rows of {} {}", array.rows, to_string(array.type),
                       to_string(array.row_shape));
  };
  const std::string text = fmt::format("{} and {}", describe(data.x), describe(data.y));
  return data.is_weighted() ? fmt::format("{} with weights, {}", text, describe(data.weights))
                            : text;
}

void check_same_rows(const Communicator& communicator, const std::string& what,
                     const ArrayDataset* data, bool compare_values) {
  // First what is quickly told, so that a hash is never taken of what does not fit.
  check_same_everywhere(communicator, what, data ? describe_shape(*data) : "none");
  if (data && compare_values) check_same_everywhere(communicator, what, hash_of(*data));
}

std::string describe_network(const Network& model) {
  std::string config = model_to_json(model).dump();
  if (model.compiled()) config += training_config_to_json(model).dump();
  const auto hash = fast_hash(std::as_bytes(std::span(config)));
  return fmt::format("{} with {} parameters, hash {}", model.name(), model.parameter_count(),
                     to_hex(std::as_bytes(std::span(hash))));
}

std::string describe_weights(const Network& model) {
  const auto hash = fast_hash(std::as_bytes(model.arena().values()));
  return fmt::format("{} weights with hash {}", model.parameter_count(),
                     to_hex(std::as_bytes(std::span(hash))));
}

std::string hash_of(const ArrayDataset& data) {
  std::vector<std::array<std::uint64_t, 2>> hashes;
  for (const ArrayView* array : {&data.x, &data.y, &data.weights}) {
    if (array->empty()) continue;
    const std::size_t bytes = static_cast<std::size_t>(array->rows) * array->row_bytes();
    std::vector<std::byte> room;
    hashes.push_back(fast_hash(row_bytes(*array, 0, bytes, room)));
  }
  return fmt::format("{}, hash {}", describe_shape(data), to_hex(std::as_bytes(std::span(hashes))));
}

}  // namespace lockstep
