#include "tests/distributed/update/leaf_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/progress_hook.hpp"
#include "src/core/random.hpp"
#include "src/model/sequential.hpp"

namespace lockstep::test {
namespace {

/// Looks like Dense, but a row of its input is (step, leaf, ...), and its gradients are the sums of
/// leaf_value over the leaves of its rows: so that they tell from which rows they were made.
class LeafOp final : public Op {
 public:
  LeafOp(Parameter& kernel, Parameter& bias) : parameters_{&kernel, &bias} {}
  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    for (std::int64_t row = 0; row < values.rows(); ++row)
      std::copy_n(values.x().row(row), 2, values.y().row(row));
  }
  void backward(const Pass&, const OpValues&) const override {
    called_hooks() += ProgressHook::wanted() ? 1 : 0;
    ProgressHook::run();  // as long products do
  }
  void gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                Range elements, float* out) const override {
    const ConstMatrix x = values.x();
    for (const Range& rows : subtrees.samples) {
      const auto leaf = [&](std::int64_t row) { return static_cast<std::int64_t>(x.row(row)[1]); };
      for (std::int64_t row = rows.first; row < rows.last; ++row)
        EXPECT_EQ(leaf(row), leaf(rows.first) + (row - rows.first) / subtrees.grain);
      const auto step = static_cast<std::uint32_t>(x.row(rows.first)[0]);
      float period[61];
      for (std::size_t i = 0; i < 61; ++i)
        period[i] = tree_value<float>(step, {leaf(rows.first), leaf(rows.last - 1) + 1}, i);
      for (std::int64_t i = elements.first; i < elements.last; ++i)
        out[i - elements.first] = period[i % 61];
      out += subtrees.stride;
    }
  }

 private:
  std::vector<Parameter*> parameters_;
};

class LeafSums final : public Layer {
 public:
  explicit LeafSums(std::int64_t units) : units_(units) {}
  std::string class_name() const override { return "LeafSums"; }
  nlohmann::ordered_json config() const override { return {}; }

 private:
  void build(const Shape& input) override {
    const auto initializer = make_initializer(std::string("glorot_uniform"));
    parameters_.push_back({.name = "kernel",
                           .shape = {input.back(), units_},
                           .initializer = initializer,
                           .regularizer = {}});
    parameters_.push_back(
        {.name = "bias", .shape = {units_}, .initializer = initializer, .regularizer = {}});
  }
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override {
    return graph.add(std::make_unique<LeafOp>(parameters_[0], parameters_[1]), {inputs[0]},
                     {units_});
  }

  std::int64_t units_;
};

}  // namespace

float leaf_value(std::uint32_t step, std::int64_t leaf, std::size_t i) {
  return static_cast<float>(
      RandomStream(9, Purpose::kSynthetic, step, static_cast<std::uint32_t>(leaf)).normal(i % 61));
}

int& called_hooks() {
  static int count = 0;
  return count;
}

Network leaf_network(std::int64_t features, std::initializer_list<std::int64_t> units,
                     const std::string& optimizer) {
  Sequential model;
  for (const std::int64_t n : units) model.add(std::make_unique<LeafSums>(n));
  model.build({features});
  model.compile(optimizer, "mse", {});
  return model;
}

}  // namespace lockstep::test
