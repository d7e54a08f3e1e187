#include "src/core/parameter.hpp"

namespace lockstep {

ParameterArena::ParameterArena(std::vector<Parameter*> parameters)
    : parameters_(std::move(parameters)) {
  const auto place = [this](bool trainable) {
    for (Parameter* parameter : parameters_) {
      if (parameter->trainable != trainable) continue;
      parameter->offset = size_;
      size_ += FloatBuffer::padded(element_count(parameter->shape));
    }
  };
  place(true);
  trainable_size_ = size_;
  place(false);

  values_ = FloatBuffer(size_);
  for (Parameter* parameter : parameters_) {
    const auto offset = static_cast<std::size_t>(parameter->offset);
    const auto count = static_cast<std::size_t>(element_count(parameter->shape));
    parameter->value = values().subspan(offset, count);
  }
}

void ParameterArena::use_gradients(std::span<float> gradients) {
  gradients_ = gradients;
  for (Parameter* parameter : parameters_) {
    parameter->gradient = {};
    if (parameter->trainable && !gradients.empty())
      parameter->gradient =
          gradients.subspan(static_cast<std::size_t>(parameter->offset), parameter->value.size());
  }
}

}  // namespace lockstep
