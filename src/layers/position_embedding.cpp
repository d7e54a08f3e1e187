#include "src/layers/position_embedding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"
#include "src/kernels/gemm.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/embedding_op.hpp"
#include "src/layers/mask_op.hpp"

namespace lockstep {
namespace {

/// y = a table's first elements in each sample, added to x if wanted: the table is a parameter or
/// constant. By the parameter: per grain one chain of adds over samples, grains by the tree.
class PositionsOp final : public Op {
 public:
  PositionsOp(Parameter* table, bool adds) : parameters_{table}, adds_(adds) {}
  explicit PositionsOp(std::vector<float> constants)
      : constants_(std::move(constants)), adds_(false) {}

  Needs needs() const override {
    return {.forward_in_place = adds_,
            .backward_reads_x = false,
            .backward_reads_y = false,
            .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    const float* const table =
        parameters_.empty() ? constants_.data() : parameters_[0]->value.data();
    const ConstMatrix x = values.x();
    const Matrix y = values.y();
    for (std::int64_t i = 0; i < y.rows; ++i)
      if (adds_)
        kernels().sum(x.row(i), table, y.row(i), y.columns);
      else
        std::copy_n(table, y.columns, y.row(i));
  }
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (dx.empty()) return;
    if (adds_) return copy_values(values.dy(), dx);
    std::ranges::fill(dx.flat(), 0.0f);
  }
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const Matrix dy = values.dy();
    const Range used{std::min(elements.first, dy.columns), std::min(elements.last, dy.columns)};
    if (used.count() > 0) sum_rows(dy, subtrees, used, out);
    for (std::size_t subtree = 0; subtree < subtrees.size(); ++subtree, out += subtrees.stride)
      std::fill(out + used.count(), out + elements.count(), 0.0f);
  }
  Range gradient_columns(std::size_t, Range, std::int64_t) const override { return {}; }

 private:
  std::vector<Parameter*> parameters_;
  std::vector<float> constants_;
  bool adds_;
};

void check_sequence(const std::string& layer, const Shape& input, std::int64_t length) {
  check(input.size() == 2 && input.front() <= length, ExitCode::kBadData,
        "[{}] expected an input (None, positions, features) of at most {} positions, got {}", layer,
        length, to_string_batched(input));
}

}  // namespace

void PositionEmbedding::build(const Shape& input) {
  check_sequence(name(), input, length_);
  parameters_.push_back({.name = "embeddings",
                         .shape = {length_, input.back()},
                         .initializer = initializer_,
                         .regularizer = {}});
}

std::size_t PositionEmbedding::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape shape = graph.shape(inputs[0]);
  check_sequence(name(), shape, length_);
  check(shape.back() == parameters_[0].shape.back(), ExitCode::kBadData,
        "[{}] expected an input of {} features, as before, got {}", name(),
        parameters_[0].shape.back(), to_string_batched(shape));
  return graph.add(std::make_unique<PositionsOp>(&parameters_[0], false), {inputs[0]}, shape);
}

nlohmann::ordered_json PositionEmbedding::config() const {
  return {{"sequence_length", length_}, {"initializer", initializer_->to_json()}};
}

std::vector<float> sine_position_table(const Shape& shape, double wavelength) {
  constexpr double kHalfPi = 0x1.921fb54442d18p+0;
  std::vector<float> table;
  for (std::int64_t position = 0; position < shape[0]; ++position)
    for (std::int64_t feature = 0; feature < shape[1]; ++feature) {
      const double share = static_cast<double>(feature / 2 * 2) / static_cast<double>(shape[1]);
      const double angle =
          static_cast<double>(position) * elementary::exp(-share * elementary::log(wavelength));
      table.push_back(
          static_cast<float>(elementary::cos(feature % 2 == 0 ? angle - kHalfPi : angle)));
    }
  return table;
}

std::size_t SinePositionEncoding::lower(Graph& graph, std::span<const std::size_t> inputs) {
  constexpr std::int64_t kMostPositions = 1 << 20;  // as elementary::cos knows
  const Shape shape = graph.shape(inputs[0]);
  check_sequence(name(), shape, kMostPositions);
  return graph.add(std::make_unique<PositionsOp>(sine_position_table(shape, wavelength_)),
                   {inputs[0]}, shape);
}

nlohmann::ordered_json SinePositionEncoding::config() const {
  return {{"max_wavelength", wavelength_}};
}

void TokenAndPositionEmbedding::build(const Shape&) {
  const auto table = [this](std::int64_t rows, const char* part) {
    return Parameter{.name = "embeddings",
                     .shape = {rows, features_},
                     .initializer = options_.initializer,
                     .regularizer = {},
                     .scope = part,
                     .store = part};
  };
  parameters_ = {table(tokens_, "token_embedding"), table(length_, "position_embedding")};
}

std::size_t TokenAndPositionEmbedding::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape ids = graph.shape(inputs[0]);
  check(ids.size() == 1 && ids[0] <= length_, ExitCode::kBadData,
        "[{}] expected an input (None, positions) of at most {} positions, got {}", name(), length_,
        to_string_batched(ids));
  const Shape shape{ids[0], features_};
  const std::size_t tokens =
      graph.add(make_embedding_op(&parameters_[0], ids[0], name()), {inputs[0]}, shape);
  const std::size_t output =
      graph.add(std::make_unique<PositionsOp>(&parameters_[1], true), {tokens}, shape);
  if (options_.mask_zero) graph.set_mask(output, mask_of_ids(graph, inputs[0]));
  return output;
}

nlohmann::ordered_json TokenAndPositionEmbedding::config() const {
  return {{"vocabulary_size", tokens_}, {"sequence_length", length_},
          {"embedding_dim", features_}, {"embeddings_initializer", options_.initializer->to_json()},
          {"tie_weights", true},        {"mask_zero", options_.mask_zero}};
}

}  // namespace lockstep
