#include "src/parameters/parameter.hpp"

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

  own_values_ = FloatBuffer(size_);
  use_values({});
}

void ParameterArena::use_values(std::span<float> values) {
  values_ = values.empty() ? own_values_.span() : values;
  for (Parameter* parameter : parameters_)
    parameter->value = values_.subspan(static_cast<std::size_t>(parameter->offset),
                                       static_cast<std::size_t>(element_count(parameter->shape)));
}

}  // namespace lockstep
