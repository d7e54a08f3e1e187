#include "tests/support/random_graph.hpp"

#include <algorithm>
#include <numeric>

#include "src/graph/grain_sums.hpp"

namespace lockstep::test {
namespace {

float at(ConstMatrix m, std::int64_t row, std::int64_t column) {
  return m.row(row)[column % m.columns];
}

float share_of(std::size_t input) {
  return 0.7f - 0.2f * static_cast<float>(input % 4);
}

float small(std::span<const double> sums, std::int64_t i) {
  return static_cast<float>(sums[static_cast<std::size_t>(i) % sums.size()] * 1e-3);
}

}  // namespace

std::vector<float> Draw::numbers(std::int64_t count) {
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float& value : all) value = number();
  return all;
}

void MixOp::forward(const Pass& pass, const OpValues& values) const {
  const Matrix y = values.y(), kept = values.kept();
  for (std::int64_t row = 0; row < y.rows; ++row) {
    for (std::int64_t i = 0; i < kept.columns; ++i)
      kept.row(row)[i] = at(values.x(), row, i) + static_cast<float>(i);
    for (std::int64_t i = 0; i < y.columns; ++i) {
      float sum = parameters_.empty() ? 0.5f : parameters_[0]->value[static_cast<std::size_t>(i)];
      for (std::size_t input = 0; input < values.inputs(); ++input)
        sum += share_of(input) * at(values.x(input), row, i);
      if (pass.training && needs_.forward_sums > 0) sum += small(values.forward_sums(), i);
      y.row(row)[i] = sum;
    }
  }
}

void MixOp::backward(const Pass&, const OpValues& values) const {
  const Matrix dy = values.dy();
  std::vector<float> g(static_cast<std::size_t>(dy.columns));
  for (std::int64_t row = 0; row < dy.rows; ++row) {
    for (std::int64_t i = 0; i < dy.columns; ++i) {
      float factor = 1;
      for (std::size_t input = 0; needs_.backward_reads_x && input < values.inputs(); ++input)
        factor += 0.1f * at(values.x(input), row, i);
      if (needs_.backward_reads_y) factor += 0.1f * at(values.y(), row, i);
      if (needs_.kept_per_row > 0) factor += 0.1f * at(values.kept(), row, i);
      if (needs_.backward_sums > 0) factor += small(values.backward_sums(), i);
      g[static_cast<std::size_t>(i)] = factor * dy.row(row)[i];
    }
    if (!needs_.backward_in_place) std::ranges::copy(g, dy.row(row));
    for (std::size_t input = 0; input < values.inputs(); ++input)
      if (const Matrix dx = values.dx(input); !dx.empty())
        for (std::int64_t i = 0; i < dx.columns; ++i)
          dx.row(row)[i] = share_of(input) * g[static_cast<std::size_t>(i % dy.columns)];
  }
}

void MixOp::gradient(const Pass&, const OpValues& values, const Subtrees& subtrees, std::size_t,
                     Range elements, float* out) const {
  sum_grains(subtrees, elements, out, [&](Range samples, Range some, float* sums) {
    for (std::int64_t row = samples.first; row < samples.last; ++row)
      for (std::int64_t i = some.first; i < some.last; ++i) {
        float factor = 1;
        for (std::size_t input = 0; input < values.inputs(); ++input)
          factor += 0.1f * at(values.x(input), row, i);
        if (needs_.gradient_reads_y) factor += 0.1f * at(values.y(), row, i);
        if (needs_.kept_per_row > 0) factor += 0.1f * at(values.kept(), row, i);
        if (needs_.backward_sums > 0) factor += small(values.backward_sums(), i);
        sums[i - some.first] +=
            needs_.backward_in_place ? factor : factor * at(values.dy(), row, i);
      }
  });
}

void MixOp::forward_sums(const Pass&, const OpValues& values, std::span<double> sums) const {
  std::ranges::fill(sums, 0.0);
  for (std::int64_t row = 0; row < values.rows(); ++row)
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += at(values.x(), row, static_cast<std::int64_t>(i));
}

void MixOp::backward_sums(const Pass&, const OpValues& values, std::span<double> sums) const {
  std::ranges::fill(sums, 0.0);
  for (std::int64_t row = 0; row < values.rows(); ++row)
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto column = static_cast<std::int64_t>(i);
      sums[i] +=
          at(values.dy(), row, column) * (1 + at(values.x(values.inputs() - 1), row, column));
    }
}

RandomGraph::RandomGraph(std::uint64_t seed, bool batch_sums) {
  Draw draw(seed);
  const auto size = [&] {
    return std::vector<std::int64_t>{3, 5, 8, 20}[static_cast<std::size_t>(draw.below(4))];
  };
  std::vector<std::size_t> values;
  for (std::int64_t i = draw.below(2); i >= 0; --i) values.push_back(graph.add_input({size()}));
  std::vector<bool> unread(100, false);
  for (const std::size_t v : values) unread[v] = true;

  const auto parameter_of = [&](std::int64_t columns) {
    for (const auto& parameter : parameters)
      if (parameter->shape[0] == columns && draw.chance(2)) return parameter.get();
    parameters.push_back(std::make_unique<Parameter>());
    parameters.back()->shape = {columns};
    return parameters.back().get();
  };
  const auto add = [&](const std::vector<std::size_t>& inputs, std::int64_t columns) {
    Parameter* const parameter = draw.chance(2) ? parameter_of(columns) : nullptr;
    const auto sums = [&] {
      return batch_sums && draw.chance(4) ? static_cast<std::size_t>(1 + draw.below(4)) : 0;
    };
    const Needs needs{.kept_per_row = draw.chance(3) ? 1 + draw.below(6) : 0,
                      .forward_sums = sums(),
                      .backward_sums = sums(),
                      .forward_in_place = draw.chance(2),
                      .backward_in_place = draw.chance(2),
                      .backward_reads_x = draw.chance(2),
                      .backward_reads_y = draw.chance(2),
                      .gradient_reads_y = draw.chance(2)};
    for (const std::size_t v : inputs) unread[graph.storage(v)] = false;
    values.push_back(graph.add(std::make_unique<MixOp>(needs, parameter), inputs, {columns}));
    unread[values.back()] = true;
  };

  for (std::int64_t left = 3 + draw.below(10); left > 0; --left) {
    std::vector<std::size_t> inputs;
    for (std::int64_t i = draw.below(3); i >= 0; --i) {
      const auto back = draw.below(std::min<std::int64_t>(std::ssize(values), 4));
      inputs.push_back(values[values.size() - 1 - static_cast<std::size_t>(back)]);
    }
    const std::int64_t columns = element_count(graph.shape(inputs[0]));
    add(inputs, draw.chance(3) ? size() : columns);
    if (draw.chance(5))
      values.push_back(
          graph.reshape(values.back(), {1, element_count(graph.shape(values.back()))}));
  }
  std::vector<std::size_t> ends;
  for (std::size_t v = 0; v < graph.values(); ++v)
    if (unread[v]) ends.push_back(v);
  add(ends, draw.chance(2) ? size() : element_count(graph.shape(ends[0])));
  ops = graph.ops();
  // An activation that the loss takes over; it must be trained for, so behind a parameter.
  const std::int64_t columns = element_count(graph.shape(values.back()));
  if (draw.chance(2))
    values.push_back(
        graph.add(std::make_unique<MixOp>(Needs{.forward_in_place = draw.chance(2)}, nullptr),
                  {values.back()}, {columns}));
  graph.finish({values.back()});

  std::vector<Parameter*> all;
  for (const auto& parameter : parameters) all.push_back(parameter.get());
  arena = ParameterArena(all);
  for (Parameter* parameter : all)
    std::ranges::copy(draw.numbers(parameter->shape[0]), parameter->value.begin());
}

}  // namespace lockstep::test
