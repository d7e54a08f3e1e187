#include "src/model/workspace.hpp"

#include "src/model/sequential.hpp"

namespace lockstep {

struct Workspace::Plan {
  std::int64_t floats = 0;
  std::int64_t input_floats = 0;  ///< the first ones
  std::vector<Buffer> values, gradients, kept;

  Plan(const Sequential& model, std::int64_t max_rows, Use use) {
    const auto& layers = model.layers();
    const std::size_t first_trained = model.first_trained_layer();
    const std::size_t in_place = model.scaling_layer();
    const auto place = [&](Buffer& buffer, std::int64_t columns) {
      buffer = {floats, columns};
      floats += FloatBuffer::padded(max_rows * columns);
    };
    values.resize(layers.size() + 1);
    gradients.resize(layers.size() + 1);
    kept.resize(layers.size());
    place(values[0], element_count(model.shapes()[0]));
    input_floats = floats;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::int64_t columns = element_count(model.shapes()[i + 1]);
      const bool passes_through = layers[i]->passes_through();
      if (passes_through || i == in_place) {
        values[i + 1] = values[i];
      } else {
        place(values[i + 1], columns);
      }
      if (use == Use::kInference) continue;
      place(kept[i], layers[i]->kept_per_row());
      if (passes_through) {
        gradients[i + 1] = gradients[i];
      } else if (i >= first_trained) {
        place(gradients[i + 1], columns);
      }
    }
  }
};

Workspace::Workspace(const Sequential& model, std::int64_t max_rows, Use use,
                     std::span<float> memory, bool own_input) {
  Plan plan(model, max_rows, use);
  const std::int64_t own = memory.empty() ? plan.floats : own_input ? plan.input_floats : 0;
  own_ = FloatBuffer(own);
  for (auto* buffers : {&plan.values, &plan.gradients, &plan.kept})
    for (Buffer& buffer : *buffers) {
      if (buffer.columns == 0) continue;  // planned for no layer
      const bool in_own = memory.empty() || (own_input && buffer.offset < plan.input_floats);
      buffer.memory = (in_own ? own_.span() : memory).data() + buffer.offset;
    }
  values_ = std::move(plan.values);
  gradients_ = std::move(plan.gradients);
  kept_ = std::move(plan.kept);
}

Workspace::Workspace(const Sequential& model, std::int64_t max_rows, Use use)
    : Workspace(model, max_rows, use, {}, false) {}

std::int64_t Workspace::floats(const Sequential& model, std::int64_t max_rows, Use use) {
  return Plan(model, max_rows, use).floats;
}

Matrix Workspace::rows_of(const Buffer& buffer, Range rows) const {
  return {buffer.memory + rows.first * buffer.columns, rows.count(), buffer.columns};
}

}  // namespace lockstep
