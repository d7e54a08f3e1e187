#include "tests/support/host_setting.hpp"

#include "distributed/update/allreduce_optimizer.hpp"
#include "distributed/update/sharded_optimizer.hpp"

namespace lockstep::test {

void PrintTo(const HostSetting& setting, std::ostream* out) {
  *out << setting.name;
}

const std::vector<HostSetting>& host_settings() {
  using Strategy = DistributedOptimizer::Strategy;
  static const std::vector<HostSetting> settings = {
      {"Allreduce", Strategy::kAllreduce},     {"OneHost"},
      {"HostsOfOne", Strategy::kSharded, 1},   {"HostsOfTwo", Strategy::kSharded, 2},
      {"HostsOfThree", Strategy::kSharded, 3}, {"HostsOfTwoByTurns", Strategy::kSharded, 2, true}};
  return settings;
}

std::unique_ptr<DistributedOptimizer> make_distributed(const HostSetting& setting, Network& model,
                                                       const Communicator& communicator,
                                                       const DistributedOptimizer::Options& options,
                                                       std::span<const StepPlan> plans) {
  std::unique_ptr<DistributedOptimizer> optimizer;
  if (setting.strategy == DistributedOptimizer::Strategy::kAllreduce) {
    optimizer = std::make_unique<AllreduceOptimizer>(model, communicator, options, plans);
  } else {
    const int hosts = (communicator.size() + setting.per_host - 1) / setting.per_host;
    const int host =
        setting.by_turns ? communicator.rank() % hosts : communicator.rank() / setting.per_host;
    optimizer = std::make_unique<ShardedOptimizer>(model, communicator, communicator.split(host),
                                                   options, plans);
  }
  optimizer->set_up();
  return optimizer;
}

}  // namespace lockstep::test
