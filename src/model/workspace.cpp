#include "src/model/workspace.hpp"

#include "src/model/sequential.hpp"

namespace lockstep {

Workspace::Workspace(const Sequential& model, std::int64_t max_rows, Use use)
    : max_rows_(max_rows) {
  const auto& layers = model.layers();
  const std::size_t first_trained = model.first_trained_layer();
  const std::size_t in_place = model.scaling_layer();
  std::int64_t floats = 0;
  // Plans first: offsets now, addresses when the memory is there.
  struct Plan {
    Buffer* buffer;
    std::int64_t offset;
  };
  std::vector<Plan> plans;
  const auto plan = [&](Buffer& buffer, std::int64_t columns) {
    buffer.columns = columns;
    plans.push_back({&buffer, floats});
    floats += FloatBuffer::padded(max_rows * columns);
  };

  values_.resize(layers.size() + 1);
  gradients_.resize(layers.size() + 1);
  kept_.resize(layers.size());
  plan(values_[0], element_count(model.shapes()[0]));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::int64_t columns = element_count(model.shapes()[i + 1]);
    if (!layers[i]->passes_through() && i != in_place) plan(values_[i + 1], columns);
    if (use == Use::kInference) continue;
    plan(kept_[i], layers[i]->kept_per_row());
    if (!layers[i]->passes_through() && i >= first_trained) plan(gradients_[i + 1], columns);
  }

  memory_ = FloatBuffer(floats);
  for (const Plan& planned : plans)
    planned.buffer->memory =
        memory_.span().subspan(static_cast<std::size_t>(planned.offset),
                               static_cast<std::size_t>(max_rows * planned.buffer->columns));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i]->passes_through() || i == in_place) values_[i + 1] = values_[i];
    if (layers[i]->passes_through()) gradients_[i + 1] = gradients_[i];
  }
}

Matrix Workspace::view(std::size_t boundary, std::int64_t rows) const {
  return {values_[boundary].memory.data(), rows, values_[boundary].columns};
}

Matrix Workspace::gradient(std::size_t boundary, std::int64_t rows) const {
  return {gradients_[boundary].memory.data(), rows, gradients_[boundary].columns};
}

Matrix Workspace::output_gradient(std::int64_t rows) {
  return gradient(gradients_.size() - 1, rows);
}

std::span<float> Workspace::kept(std::size_t layer, std::int64_t rows) const {
  const Buffer& buffer = kept_[layer];
  return buffer.memory.first(static_cast<std::size_t>(rows * buffer.columns));
}

}  // namespace lockstep
