#include "src/parameters/parameter.hpp"

#include <algorithm>

namespace lockstep {

Range Parameter::elements_within(Range floats) const {
  const auto count = static_cast<std::int64_t>(value.size());
  const std::int64_t first = std::clamp<std::int64_t>(floats.first - offset, 0, count);
  return {first, std::clamp<std::int64_t>(floats.last - offset, first, count)};
}

ParameterArena::ParameterArena(std::vector<Parameter*> parameters)
    : parameters_(std::move(parameters)) {
  const auto place = [this](ParameterRole role) {
    for (Parameter* parameter : parameters_) {
      if (parameter->role != role) continue;
      parameter->offset = size_;
      size_ += FloatBuffer::padded(element_count(parameter->shape));
    }
  };
  place(ParameterRole::kTrained);
  trainable_size_ = size_;
  place(ParameterRole::kFrozen);
  place(ParameterRole::kState);

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
