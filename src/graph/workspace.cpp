#include "src/graph/workspace.hpp"

namespace lockstep {
namespace {

constexpr auto kHost = static_cast<std::size_t>(Scope::kHost);

}  // namespace

Workspace::Workspace(const Graph& graph, const WorkspaceUse& use, std::span<float> host_memory,
                     bool own_input)
    : use_(use) {
  WorkspacePlan plan = plan_workspace(graph, use);
  std::array<float*, kScopes> memory;
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    const bool given = scope == kHost && !host_memory.empty();
    if (!given) own_[scope] = FloatBuffer(plan.floats[scope]);
    memory[scope] = given ? host_memory.data() : own_[scope].span().data();
  }
  const auto place = [&](int buffer) -> BufferPlace {
    if (buffer == WorkspacePlan::kNone) return {};
    const auto& planned = plan.buffers[static_cast<std::size_t>(buffer)];
    return {memory[static_cast<std::size_t>(planned.scope)] + planned.offset, planned.columns,
            planned.scope};
  };
  const auto is_input = [&](const BufferPlace& p) {
    return p.memory != nullptr && p.memory == places_of_inputs_.front().memory;
  };
  for (const int input : plan.inputs) places_of_inputs_.push_back(place(input));
  const BufferPlace shared_input = places_of_inputs_.front();
  own_input = own_input && shared_input.scope == Scope::kHost;
  if (own_input) own_input_ = FloatBuffer(use.rows[kHost] * shared_input.columns);

  std::size_t batch_sums = 0;
  std::vector<Needs> needs;
  for (const Graph::Step& step : graph.steps()) {
    needs.push_back(step.op->needs());
    batch_sums += needs.back().forward_sums + needs.back().backward_sums;
  }
  batch_sums_.resize(batch_sums);
  std::span<double> sums = batch_sums_;
  for (std::size_t op = 0; op < graph.ops(); ++op) {
    const WorkspacePlan::OpBuffers& buffers = plan.ops[op];
    OpPlaces& places = ops_.emplace_back();
    for (const int x : buffers.x) {
      places.x.push_back(place(x));
      if (own_input && is_input(places.x.back())) places.x.back().memory = own_input_.span().data();
    }
    for (const int dx : buffers.dx) places.dx.push_back(place(dx));
    places.y = place(buffers.y);
    places.dy = place(buffers.dy);
    places.kept = place(buffers.kept);
    places.forward_sums = sums.first(needs[op].forward_sums);
    sums = sums.subspan(needs[op].forward_sums);
    places.backward_sums = sums.first(needs[op].backward_sums);
    sums = sums.subspan(needs[op].backward_sums);
  }
  if (own_input) places_of_inputs_.front().memory = own_input_.span().data();
  sums_.resize(graph.ops());
  for (std::size_t op = 0; op < plan.sums.size(); ++op)
    for (const auto& [into, from] : plan.sums[op]) {
      Sum& sum = sums_[op].emplace_back();
      sum.into = place(into);
      for (const int addend : from) sum.from.push_back(place(addend));
    }
  runs_ = use.aim.runs(graph);
  loss_takes_over_ = use.ops < ops_with_loss(graph, use);
  backward_ = plan.backward;
  backward_.resize(graph.ops(), false);
  output_ = place(plan.output);
  last_value_ = place(plan.last_value);
  output_gradient_ = place(plan.output_gradient);
}

std::int64_t Workspace::host_floats(const Graph& graph, const WorkspaceUse& use) {
  return plan_workspace(graph, use).floats[kHost];
}

std::int64_t Workspace::own_floats() const {
  std::size_t floats = own_input_.span().size();
  for (const FloatBuffer& own : own_) floats += own.span().size();
  return static_cast<std::int64_t>(floats);
}

}  // namespace lockstep
