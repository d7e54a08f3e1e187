#include "tests/support/layer_run.hpp"

#include <algorithm>

#include "src/layers/concatenate.hpp"

namespace lockstep::test {
namespace {

/// Lets the gradient by an input be asked for, and keeps it.
class InputProbe final : public Op {
 public:
  InputProbe(Parameter& parameter, std::vector<float>& dx) : parameters_{&parameter}, dx_(dx) {}
  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .gradient_reads_y = false};
  }
  std::span<Parameter* const> parameters() const override { return parameters_; }
  void forward(const Pass&, const OpValues& values) const override {
    copy_values(values.x(), values.y());
  }
  void backward(const Pass& pass, const OpValues& values) const override {
    const Matrix dy = values.dy();
    const std::int64_t row = values.batch_row() - pass.first_row;
    std::copy_n(dy.data, dy.size(), dx_.begin() + row * dy.columns);
  }

 private:
  std::vector<Parameter*> parameters_;
  std::vector<float>& dx_;
};

/// A mask that no input of the graph keeps: its memory is free when nothing reads it any more.
class MaskCopyOp final : public Op {
 public:
  Needs needs() const override {
    return {.backward_reads_x = false, .backward_reads_y = false, .passes_gradient = false};
  }
  void forward(const Pass&, const OpValues& values) const override {
    copy_values(values.x(), values.y());
  }
  void backward(const Pass&, const OpValues&) const override {}
};

/// The outputs of a layer one behind the other, with the mask of the first.
std::size_t as_one(Graph& graph, std::vector<std::size_t> outputs) {
  if (outputs.size() == 1) return outputs.front();
  const auto mask = graph.mask(outputs.front());
  for (std::size_t& output : outputs)
    output = graph.reshape(output, {element_count(graph.shape(output))});
  Concatenate concatenate;
  concatenate.set_name("outputs");
  const std::size_t all = concatenate.apply(graph, outputs);
  graph.set_mask(all, mask);
  return all;
}

std::size_t floats(std::int64_t rows, const Shape& shape) {
  return static_cast<std::size_t>(rows * element_count(shape));
}

}  // namespace

LayerRun::LayerRun(Layer& layer, std::vector<Shape> inputs, std::int64_t rows, const Pass& pass,
                   std::int64_t block_grains, bool inference, std::optional<bool> causal,
                   Masks masks)
    : layer_(layer), rows_(rows), pass_(pass), masks_(std::move(masks)) {
  if (layer.name().empty()) layer.set_name("layer");
  probe_.name = "probe";
  probe_.shape = {1};
  std::vector<std::size_t> values;
  for (const Shape& shape : inputs) values.push_back(graph_.add_input(shape));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    dx_.push_back(std::make_unique<std::vector<float>>(floats(rows, inputs[i])));
    x_.emplace_back(floats(rows, inputs[i]));
    values[i] = graph_.add(std::make_unique<InputProbe>(probe_, *dx_[i]), {values[i]}, inputs[i]);
  }
  for (std::size_t i = 0; i < masks_.size(); ++i) {
    Shape positions = inputs[i];
    positions.pop_back();
    while (!masks_[i].empty() && floats(rows, positions) > masks_[i].size()) positions.pop_back();
    const std::size_t mask =
        graph_.add(std::make_unique<MaskCopyOp>(), {graph_.add_input(positions)}, positions);
    if (!masks_[i].empty()) graph_.set_mask(values[i], mask);
  }
  graph_.set_inference(inference);
  graph_.set_causal(causal);
  graph_.finish({as_one(graph_, layer.apply_all(graph_, values))});

  std::vector<Parameter*> parameters{&probe_};
  for (Parameter& parameter : layer.parameters()) parameters.push_back(&parameter);
  arena_ = ParameterArena(parameters);
  gradients_ = plan_gradients(graph_, GradientWay::kRows);
  const bool in_blocks = pass.training && block_grains > 0;  // others take all rows at once
  const std::int64_t block = in_blocks ? std::min(2 * block_grains, rows) : rows;
  workspace_.emplace(graph_, WorkspaceUse{.training = true,
                                          .ops = graph_.ops(),
                                          .way = std::vector(graph_.ops(), GradientWay::kRows),
                                          .rows = {rows, rows, block}});
  passes_.emplace(graph_, *workspace_, gradients_, block_grains, (rows + 1) / 2);
  partial_.resize(static_cast<std::size_t>(arena_.trainable_size()));
  pass_.batch_rows = rows;
  pass_.batch_sums = &sums_;
}

void LayerRun::fill_in() {
  for (std::size_t i = 0; i < x_.size(); ++i)
    std::ranges::copy(x_[i], workspace_->input({0, rows_}, i).data);
  for (std::size_t i = 0; i < masks_.size(); ++i)
    std::ranges::copy(masks_[i], workspace_->input({0, rows_}, x_.size() + i).data);
}

std::vector<float> LayerRun::forward() {
  std::vector<float> y(floats(rows_, output_shape()));
  const auto mask = graph_.mask(graph_.output());
  if (mask) output_mask_.resize(floats(rows_, graph_.shape(*mask)));
  const Range all{0, rows_};
  const auto take = [&](Range rows) {
    const Matrix output = workspace_->output(rows);
    std::copy_n(output.data, output.size(), y.begin() + rows.first * output.columns);
  };
  fill_in();
  if (!pass_.training) {
    run_forward(graph_, *workspace_, workspace_->rows(all, 0), pass_,
                {0, static_cast<std::int64_t>(graph_.ops())});
    take(all);
    return y;
  }
  const Subtrees subtrees{.samples = {&all, 1}, .grain = 2};
  passes_->run(
      pass_, subtrees, {partial_.data(), 0},
      [&](const Block& block) {
        take(block.rows);
        if (mask) take_mask(*mask, block.rows);
        std::ranges::fill(workspace_->output_gradient(block.rows).flat(), 0.0f);
      },
      nullptr);
  return y;
}

/// Of a mask that an op has made, or that an input is.
void LayerRun::take_mask(std::size_t mask, Range rows) {
  const auto& steps = graph_.steps();
  const auto step = std::ranges::find(steps, graph_.storage(mask), &Graph::Step::output);
  const auto input = std::ranges::find(graph_.inputs(), graph_.storage(mask));
  const Matrix values =
      step == steps.end()
          ? workspace_->input(rows, static_cast<std::size_t>(input - graph_.inputs().begin()))
          : workspace_->matrix(workspace_->op(static_cast<std::size_t>(step - steps.begin())).y,
                               rows);
  std::copy_n(values.data, values.size(), output_mask_.begin() + rows.first * values.columns);
}

void LayerRun::backward(const std::vector<float>& dy) {
  const Range all{0, rows_};
  const Subtrees subtrees{.samples = {&all, 1}, .grain = 2};
  fill_in();
  passes_->run(
      pass_, subtrees, {partial_.data(), 0},
      [&](const Block& block) {
        const Matrix gradient = workspace_->output_gradient(block.rows);
        std::copy_n(dy.begin() + block.rows.first * gradient.columns, gradient.size(),
                    gradient.data);
      },
      nullptr);
}

bool LayerRun::differs_in_training() const {
  return std::ranges::any_of(graph_.steps(), [](const Graph::Step& step) {
    const Needs needs = step.op->needs();
    return needs.draws || needs.forward_sums > 0;
  });
}

std::vector<float> LayerRun::gradient(std::size_t parameter) const {
  const Parameter& wanted = layer_.parameters()[parameter];
  if (!wanted.trained()) return std::vector<float>(wanted.value.size());
  const auto first = partial_.begin() + wanted.offset;
  return {first, first + static_cast<std::ptrdiff_t>(wanted.value.size())};
}

}  // namespace lockstep::test
