#include "src/optimizers/sgd.hpp"

#include <nlohmann/json.hpp>

namespace lockstep {

void Sgd::prepare(float rate, std::int64_t) {
  scalars_ = {rate, static_cast<float>(settings_.momentum), settings_.nesterov};
}

void Sgd::update(const UpdateSpan& span) const {
  const auto n = static_cast<std::int64_t>(span.values.size());
  if (settings_.momentum == 0) {
    kernels().sgd(span.values.data(), span.gradients.data(), n, scalars_.rate);
  } else {
    kernels().sgd_momentum(span.values.data(), span.gradients.data(), span.slots[0].data(), n,
                           scalars_);
  }
}

std::vector<std::string> Sgd::slot_names() const {
  if (settings_.momentum == 0) return {};
  return {"momentum"};
}

nlohmann::ordered_json Sgd::to_json() const {
  return {{"class_name", "SGD"},
          {"config",
           {{"name", "SGD"},
            {"learning_rate", schedule().to_json()},
            {"momentum", settings_.momentum},
            {"nesterov", settings_.nesterov}}}};
}

}  // namespace lockstep
