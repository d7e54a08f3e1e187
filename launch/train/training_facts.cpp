#include "launch/train/training_facts.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "distributed/ranks/agreement.hpp"
#include "io/data/sample_order.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

/// What one rank found in its share.
struct Scan {
  double x_lowest = std::numeric_limits<double>::infinity();
  double x_highest = -std::numeric_limits<double>::infinity();
  double y_lowest = std::numeric_limits<double>::infinity();
  double y_highest = -std::numeric_limits<double>::infinity();
  std::int64_t unlike_first = 0;  ///< rows of targets
  std::int64_t other_sums = 0;
  std::int64_t first_row = std::numeric_limits<std::int64_t>::max();
  double first_sum = 0;

  void add(const Scan& other) {
    x_lowest = std::min(x_lowest, other.x_lowest);
    x_highest = std::max(x_highest, other.x_highest);
    y_lowest = std::min(y_lowest, other.y_lowest);
    y_highest = std::max(y_highest, other.y_highest);
    unlike_first += other.unlike_first;
    other_sums += other.other_sums;
    if (other.first_row >= first_row) return;
    first_row = other.first_row;
    first_sum = other.first_sum;
  }
};

/// Calls f(element) for the elements of a row, as doubles.
template <class F>
void for_elements(const ArrayView& view, std::int64_t row, const F& f) {
  with_element_type(view.type, [&]<class T>() {
    const T* const values = reinterpret_cast<const T*>(view.row(row));
    for (std::int64_t i = 0; i < view.row_elements(); ++i) f(static_cast<double>(values[i]));
  });
}

/// Rows 0, stride, 2 stride ... of all: the same ones, however they are shared.
void scan_inputs(const ArrayView& x, Range rows, std::int64_t stride, Scan& scan) {
  const std::int64_t first = (rows.first + stride - 1) / stride * stride;
  for (std::int64_t row = first; row < rows.last; row += stride)
    for_elements(x, row, [&](double value) {
      scan.x_lowest = std::min(scan.x_lowest, value);
      scan.x_highest = std::max(scan.x_highest, value);
    });
}

/// `columns`: that add up to 1 if they are probabilities.
void scan_targets(const ArrayView& y, Range rows, std::int64_t columns, Scan& scan) {
  constexpr double kTolerance = 1e-3;
  for (std::int64_t row = rows.first; row < rows.last; ++row) {
    scan.unlike_first += std::memcmp(y.row(row), y.row(0), y.row_bytes()) != 0;
    double sum = 0;
    double other_sum = 1;
    std::int64_t column = 0;
    for_elements(y, row, [&](double value) {
      scan.y_lowest = std::min(scan.y_lowest, value);
      scan.y_highest = std::max(scan.y_highest, value);
      sum += value;
      if (++column < columns) return;
      if (std::abs(sum - 1) > kTolerance) other_sum = sum;
      sum = 0;
      column = 0;
    });
    if (other_sum == 1) continue;
    ++scan.other_sums;
    if (row > scan.first_row) continue;
    scan.first_row = row;
    scan.first_sum = other_sum;
  }
}

/// Layers that take any numbers.
bool scales(const Layer& layer) {
  const std::string name = layer.class_name();
  return name == "Embedding" || name == "TokenAndPositionEmbedding" ||
         name.find("Normalization") != std::string::npos;
}

}  // namespace

NetworkFacts facts_of(const Network& model, const Loss& loss) {
  NetworkFacts facts;
  facts.trains = model.trains();
  facts.scales_input = false;
  bool first = true;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const Layer& layer = *model.layers()[i];
    const Shape& output = model.output_shape_of(i);
    const Activation activation = layer.final_activation();
    if (activation == Activation::kSoftmax && !output.empty() && output.back() == 1 &&
        facts.constant_layer.empty())
      facts.constant_layer = layer.name();
    if (!layer.passes_through() && layer.class_name() != "Dropout") {
      facts.last_layer = layer.name();
      facts.activation = activation;
      if (layer.class_name() != "Rescaling") {
        facts.scales_input = facts.scales_input || (first && scales(layer));
        first = false;
      }
    }
  }
  facts.columns = model.output_columns();
  const Scaling scaling = model.input_scaling();
  facts.input_scale = scaling.scale;
  facts.input_offset = scaling.offset;
  facts.loss = loss.name();
  const nlohmann::ordered_json json = loss.to_json();
  facts.from_logits = json.is_object() && json["config"].value("from_logits", false);
  return facts;
}

NetworkFacts facts_of(const Network& model) {
  NetworkFacts facts = facts_of(model, model.loss());
  for (const auto& metric : model.metrics()) facts.metrics.push_back(metric->name());
  return facts;
}

RowFacts facts_of(const Communicator& communicator, const ArrayDataset& rows, const Network& model,
                  const std::string& x_label, const std::string& y_label) {
  constexpr std::int64_t kInputRows = 4096;
  const Range mine = share(rows.rows(), communicator.rank(), communicator.size());
  Scan scan;
  scan_inputs(rows.x, mine, std::max<std::int64_t>(rows.rows() / kInputRows, 1), scan);
  scan_targets(rows.y, mine, model.output_columns(), scan);
  Scan all;
  for (const std::string& text :
       communicator.all_gather(std::string(reinterpret_cast<const char*>(&scan), sizeof(scan)))) {
    Scan other;
    std::memcpy(&other, text.data(), sizeof(other));
    all.add(other);
  }
  return {.x = x_label,
          .y = y_label,
          .rows = rows.rows(),
          .x_is_bytes = rows.x.type == ElementType::kUint8,
          .x_lowest = all.x_lowest,
          .x_highest = all.x_highest,
          .y_lowest = all.y_lowest,
          .y_highest = all.y_highest,
          .y_is_constant = all.unlike_first == 0,
          .sums_other_than_1 = all.other_sums,
          .first_such_row = all.first_row,
          .first_such_sum = all.first_sum};
}

void follow(const Communicator& communicator, const std::vector<Advice>& advice) {
  for (const Advice& piece : advice)
    check_collectively(!piece.refusal, piece.refusal.value_or(ExitCode::kDone), "{}", piece.text);
  if (!communicator.is_root()) return;
  for (const Advice& piece : advice) print_error("warning: " + piece.text);
}

}  // namespace lockstep
