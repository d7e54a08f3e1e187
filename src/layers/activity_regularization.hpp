#pragma once

#include <string>

#include "src/layers/layer.hpp"

namespace lockstep {

/// y = x, with a penalty of l1 sum |x| + l2 sum x^2 for each sample, whose mean is a part of the
/// loss.
class ActivityRegularization final : public Layer {
 public:
  ActivityRegularization(double l1, double l2);

  std::string class_name() const override { return "ActivityRegularization"; }
  bool is_activity_regularization() const override { return true; }
  bool passes_through() const override { return true; }
  nlohmann::ordered_json config() const override;

 private:
  std::size_t lower(Graph& graph, std::span<const std::size_t> inputs) override;

  double l1_, l2_;
};

}  // namespace lockstep
