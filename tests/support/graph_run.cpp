#include "tests/support/graph_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/support/random_graph.hpp"

namespace lockstep::test {
namespace {

using Floats = std::vector<float>;

void fill_output_gradient(std::span<const float> output, std::span<float> gradient) {
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = 0.5f * output[i] - 0.25f;
}

/// The sum over leaves [first, last) of what `leaf` gives of each, by the definition of the tree.
template <class Leaf>
auto tree_sum(Range leaves, const Leaf& leaf) {
  if (leaves.count() == 1) return leaf(leaves.first);
  const std::int64_t split = tree_split(leaves);
  auto sum = tree_sum({leaves.first, split}, leaf);
  const auto more = tree_sum({split, leaves.last}, leaf);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
  return sum;
}

/// Memory and places of naive_pass().
class Naive {
 public:
  Naive(const Graph& graph, std::size_t ops, const Pass& pass, const Subtrees& subtrees,
        const Inputs& inputs)
      : graph_(graph),
        ops_(ops),
        pass_(pass),
        subtrees_(subtrees),
        rows_(subtrees.size() == 0 ? 0 : subtrees.samples.back().last),
        needs_gradient_(Aim().needs_gradient(graph)),
        readers_(graph.readers()),
        values_(graph.values()),
        gradients_(graph.values()),
        kept_(graph.ops()),
        forward_sums_(graph.ops()),
        backward_sums_(graph.ops()),
        dx_(graph.ops()),
        places_(graph.ops()) {
    for (std::size_t v = 0; v < graph.values(); ++v)
      if (graph.storage(v) == v) values_[v].resize(floats(element_count(graph.shape(v))));
    for (std::size_t i = 0; i < inputs.size(); ++i) values_[graph.inputs()[i]] = inputs[i];
    for (std::size_t op = 0; op < graph.ops(); ++op) make_places(op);
  }

  PassResults run() {
    for (std::size_t op = 0; op < ops_; ++op) {
      if (needs(op).forward_sums > 0) add_up(op, true);
      step(op).op->forward(pass_of(op), {places_[op], rows({0, rows_})});
    }
    const std::vector<float>& output = values_[last_value()];
    output_gradient_.resize(output.size());
    fill_output_gradient(output, output_gradient_);
    results_.output = output;
    for (std::size_t op = ops_; op-- > 0;) {
      if (!has_backward(op)) continue;
      add_up_gradient(graph_.storage(step(op).output));
      places_[op].dy.memory = gradients_[graph_.storage(step(op).output)].data();
      if (needs(op).backward_sums > 0) add_up(op, false);
      step(op).op->backward(pass_of(op), {places_[op], rows({0, rows_})});
    }
    const GradientPlan plan = plan_gradients(graph_, GradientWay::kRows);
    for (const TrainedParameter& parameter : plan.parameters) {
      Floats& all = results_.gradients.emplace_back();
      for (const Range& samples : subtrees_.samples) {
        const Floats partial = partial_of(parameter, samples);
        all.insert(all.end(), partial.begin(), partial.end());
      }
    }
    return std::move(results_);
  }

 private:
  const Graph::Step& step(std::size_t op) const { return graph_.steps()[op]; }
  Needs needs(std::size_t op) const { return step(op).op->needs(); }
  std::size_t floats(std::int64_t columns) const {
    return static_cast<std::size_t>(rows_ * columns);
  }
  Rows rows(Range range) const { return {range, {}, pass_.first_row + range.first}; }
  Pass pass_of(std::size_t op) const {
    Pass pass = pass_;
    pass.training = !step(op).inference;
    return pass;
  }
  std::size_t last_value() const {
    return graph_.storage(ops_ == graph_.ops() ? graph_.output() : step(ops_).inputs[0]);
  }
  bool has_backward(std::size_t op) const {
    const std::size_t v = step(op).output;
    return needs_gradient_[v] &&
           (v == last_value() ||
            std::ranges::any_of(readers_[v], [&](const auto& r) { return r.op < ops_; }));
  }

  void make_places(std::size_t op) {
    OpPlaces& places = places_[op];
    const auto columns = [&](std::size_t v) { return element_count(graph_.shape(v)); };
    for (const std::size_t v : step(op).inputs) {
      places.x.push_back({values_[graph_.storage(v)].data(), columns(v)});
      Floats& dx = dx_[op].emplace_back();
      const bool wanted = op < ops_ && needs_gradient_[graph_.storage(v)];
      dx.resize(wanted ? floats(columns(v)) : 0);
      places.dx.push_back(wanted ? BufferPlace{dx.data(), columns(v)} : BufferPlace{});
    }
    const std::size_t y = step(op).output;
    places.y = {values_[y].data(), columns(y)};
    places.dy = {nullptr, columns(y)};
    kept_[op].resize(floats(needs(op).kept_per_row));
    if (needs(op).kept_per_row > 0) places.kept = {kept_[op].data(), needs(op).kept_per_row};
    forward_sums_[op].resize(needs(op).forward_sums);
    backward_sums_[op].resize(needs(op).backward_sums);
    places.forward_sums = forward_sums_[op];
    places.backward_sums = backward_sums_[op];
  }

  /// In the order of the readers, the loss last.
  void add_up_gradient(std::size_t v) {
    std::vector<const Floats*> parts;
    for (const auto& [op, input] : readers_[v])
      if (op < ops_) parts.push_back(&dx_[op][input]);
    if (v == last_value()) parts.push_back(&output_gradient_);
    gradients_[v] = *parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i)
      for (std::size_t k = 0; k < gradients_[v].size(); ++k) gradients_[v][k] += (*parts[i])[k];
  }

  Range grain(const Range& samples, std::int64_t leaf) const {
    const std::int64_t first = samples.first + leaf * subtrees_.grain;
    return {first, std::min(first + subtrees_.grain, samples.last)};
  }
  Range leaves(const Range& samples) const {
    return {0, (samples.count() + subtrees_.grain - 1) / subtrees_.grain};
  }

  void add_up(std::size_t op, bool forward) {
    std::vector<double>& total = forward ? forward_sums_[op] : backward_sums_[op];
    std::ranges::fill(total, 0.0);
    bool first = true;
    for (const Range& samples : subtrees_.samples) {
      const std::vector<double> sums = tree_sum(leaves(samples), [&](std::int64_t leaf) {
        std::vector<double> of_grain(total.size());
        const Rows some = rows(grain(samples, leaf));
        if (forward)
          step(op).op->forward_sums(pass_, {places_[op], some}, of_grain);
        else
          step(op).op->backward_sums(pass_, {places_[op], some}, of_grain);
        return of_grain;
      });
      for (std::size_t i = 0; i < total.size(); ++i)
        total[i] = first ? sums[i] : total[i] + sums[i];
      first = false;
    }
    results_.sums.push_back(total);
    if (forward && pass_.writes_state) step(op).op->update_state(pass_, total);
  }

  Floats partial_of(const TrainedParameter& parameter, const Range& samples) const {
    const std::int64_t count = element_count(parameter.parameter->shape);
    return tree_sum(leaves(samples), [&](std::int64_t leaf) {
      const Range of_leaf = grain(samples, leaf);
      const Subtrees one{.samples = {&of_leaf, 1}, .grain = subtrees_.grain};
      Floats sum;
      for (const auto& [op, number] : parameter.uses) {
        Floats part(static_cast<std::size_t>(count));
        step(op).op->gradient(pass_, {places_[op], rows({0, rows_})}, one, number, {0, count},
                              part.data());
        if (sum.empty())
          sum = part;
        else
          for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
      }
      return sum;
    });
  }

  const Graph& graph_;
  std::size_t ops_;
  Pass pass_;
  Subtrees subtrees_;
  std::int64_t rows_;
  std::vector<bool> needs_gradient_;
  std::vector<std::vector<Graph::Reader>> readers_;
  std::vector<Floats> values_, gradients_, kept_;
  std::vector<std::vector<double>> forward_sums_, backward_sums_;
  std::vector<std::vector<Floats>> dx_;
  std::vector<OpPlaces> places_;
  Floats output_gradient_;
  PassResults results_;
};

template <class Number>
bool same_bits(const std::vector<Number>& a, const std::vector<Number>& b) {
  const std::size_t bytes = a.size() * sizeof(Number);
  return a.size() == b.size() && (bytes == 0 || std::memcmp(a.data(), b.data(), bytes) == 0);
}

}  // namespace

std::span<double> RecordedBatchSums::of_subtree(std::size_t subtree, std::size_t width) {
  sums_[subtree].resize(width);
  return sums_[subtree];
}

void RecordedBatchSums::add_up(std::span<double> result) {
  std::ranges::fill(result, 0.0);
  for (std::size_t subtree = 0; subtree < sums_.size(); ++subtree)
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] = subtree == 0 ? sums_[0][i] : result[i] + sums_[subtree][i];
  totals.emplace_back(result.begin(), result.end());
}

void expect_same_bits(const PassResults& a, const PassResults& b) {
  EXPECT_TRUE(same_bits(a.output, b.output)) << "output";
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    EXPECT_TRUE(same_bits(a.gradients[i], b.gradients[i])) << "gradient " << i;
  ASSERT_EQ(a.sums.size(), b.sums.size());
  for (std::size_t i = 0; i < a.sums.size(); ++i)
    EXPECT_TRUE(same_bits(a.sums[i], b.sums[i])) << "exchange " << i;
}

Inputs inputs_of(const Graph& graph, std::int64_t rows, std::uint64_t seed) {
  Draw draw(seed);
  Inputs inputs;
  for (const std::size_t v : graph.inputs())
    inputs.push_back(draw.numbers(rows * element_count(graph.shape(v))));
  return inputs;
}

PassResults naive_pass(const Graph& graph, std::size_t ops, const Pass& pass,
                       const Subtrees& subtrees, const Inputs& inputs) {
  return Naive(graph, ops, pass, subtrees, inputs).run();
}

PlannedPass::PlannedPass(const Graph& graph, std::size_t ops, std::int64_t rows, std::int64_t grain,
                         Options options)
    : graph_(graph), options_(std::move(options)), gradients_(plan_gradients(graph, options_.way)) {
  const std::int64_t most_grains = (rows + grain - 1) / grain;
  const std::int64_t block =
      options_.block_grains > 0 ? std::min(options_.block_grains * grain, rows) : rows;
  const WorkspaceUse use{.training = true,
                         .ops = ops,
                         .way = options_.way,
                         .rows = {options_.first_row + rows + 1, rows, block},
                         .shared = options_.shared};
  host_memory_ = FloatBuffer(Workspace::host_floats(graph, use));
  std::ranges::fill(host_memory_.span(), std::numeric_limits<float>::quiet_NaN());
  workspace_.emplace(graph, use, host_memory_.span(), options_.own_input);
  workspace_->set_first_row(options_.first_row);
  passes_.emplace(graph, *workspace_, gradients_, options_.block_grains,
                  std::max<std::int64_t>(most_grains, 1));
}

PassResults PlannedPass::run(const Pass& wanted, const Subtrees& wanted_subtrees,
                             const Inputs& inputs, const TrainingPass::OpDone& op_done) {
  const std::int64_t first = options_.first_row;
  const std::int64_t rows = wanted_subtrees.size() == 0 ? 0 : wanted_subtrees.samples.back().last;
  const std::int64_t stride = gradients_.partial_floats;
  partials_.assign(static_cast<std::size_t>(stride) * wanted_subtrees.size(),
                   std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (rows > 0) std::ranges::copy(inputs[i], workspace_->input({first, first + rows}, i).data);
  RecordedBatchSums sums(wanted_subtrees.size());
  Pass pass = wanted;
  pass.batch_sums = &sums;
  Subtrees subtrees = wanted_subtrees;
  subtrees.stride = stride;
  PassResults results;
  blocks = 0;
  const auto loss = [&](const Block& block) {
    ++blocks;
    const Range range{first + block.rows.first, first + block.rows.last};
    const std::span<const float> output = workspace_->output(range).flat();
    results.output.insert(results.output.end(), output.begin(), output.end());
    fill_output_gradient(output, workspace_->output_gradient(range).flat());
  };
  passes_->run(pass, subtrees, {partials_.data(), stride}, loss, op_done);
  for (const TrainedParameter& trained : gradients_.parameters) {
    const std::int64_t count = element_count(trained.parameter->shape);
    Floats all(static_cast<std::size_t>(count) * subtrees.size());
    if (trained.way == GradientWay::kOwner) {
      subtrees.stride = count;
      passes_->parameter_gradients().compute_owned(
          workspace_->rows({first, first + rows}, first), pass, subtrees,
          {trained.parameter->offset, trained.parameter->offset + count}, all.data());
    } else {
      for (std::size_t i = 0; i < subtrees.size(); ++i)
        std::copy_n(partials_.begin() + static_cast<std::int64_t>(i) * stride + trained.partial_at,
                    count, all.begin() + static_cast<std::int64_t>(i) * count);
    }
    results.gradients.push_back(std::move(all));
  }
  results.sums = std::move(sums.totals);
  return results;
}

std::vector<Range> subtree_rows(std::int64_t batch_rows, std::int64_t grain, Range grains) {
  const std::int64_t all = (batch_rows + grain - 1) / grain;
  const auto row = [&](std::int64_t g) { return std::min(g * grain, batch_rows); };
  std::vector<Range> rows;
  for (const Range& subtree : subtrees_within(all, grains))
    rows.push_back({row(subtree.first) - row(grains.first), row(subtree.last) - row(grains.first)});
  return rows;
}

}  // namespace lockstep::test
