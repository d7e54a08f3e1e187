#include "distributed/training/monitor.hpp"

#include <cmath>

#include "distributed/ranks/agreement.hpp"

namespace lockstep {

bool larger_is_better(const Network& model, const std::string& monitor, Mode mode) {
  if (mode != Mode::kAuto) return mode == Mode::kMax;
  const std::string name = monitor.starts_with("val_") ? monitor.substr(4) : monitor;
  if (name == "loss") return false;
  std::string known = "loss, val_loss";
  for (const auto& metric : model.metrics()) {
    if (metric->name() == name) return metric->larger_is_better();
    known += fmt::format(", {0}, val_{0}", metric->name());
  }
  throw CollectiveError(
      ExitCode::kUsage,
      fmt::format("[callback] expected to monitor one of {}, got '{}'", known, monitor));
}

bool improves(double current, double reference, double min_delta, bool larger_is_better) {
  const double delta = std::abs(min_delta);
  return larger_is_better ? current - delta > reference : current + delta < reference;
}

}  // namespace lockstep
