#include "src/graph/workspace_plan.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "src/core/float_buffer.hpp"

namespace lockstep {
namespace {

using Buffer = WorkspacePlan::Buffer;
constexpr int kNone = WorkspacePlan::kNone;

/// All that decides where a buffer may lie.
struct Life {
  std::int64_t columns = 0;
  int first_time = std::numeric_limits<int>::max(), last_time = -1;
  int first_phase = std::numeric_limits<int>::max(), last_phase = -1;
  bool read_by_owners = false;  ///< of gradients: other ranks read it
  int same_as = kNone;          ///< shares its memory

  void use(int time, int phase) {
    first_time = std::min(first_time, time);
    last_time = std::max(last_time, time);
    first_phase = std::min(first_phase, phase);
    last_phase = std::max(last_phase, phase);
  }
};

/// Finds out what is alive when.
class Lives {
 public:
  Lives(const Graph& graph, const WorkspaceUse& use, WorkspacePlan& plan)
      : graph_(graph),
        use_(use),
        plan_(plan),
        phases_(graph, use),
        readers_(graph.readers()),
        runs_(use.aim.runs(graph)),
        needs_gradient_(use.aim.needs_gradient(graph)),
        of_value_(graph.values(), kNone),
        of_gradient_(graph.values(), kNone) {
    for (std::size_t op = 0; op < graph.ops(); ++op) needs_.push_back(step(op).op->needs());
    make_values();
    if (use.training) make_gradients();
    use_in_forward();
    if (use.training) use_in_backward();
    share_in_place();
  }

  const Life& operator[](std::size_t buffer) const { return lives_[buffer]; }
  std::size_t size() const { return lives_.size(); }
  int root(int buffer) const {
    while (lives_[at(buffer)].same_as != kNone) buffer = lives_[at(buffer)].same_as;
    return buffer;
  }

 private:
  static std::size_t at(int buffer) { return static_cast<std::size_t>(buffer); }
  const Graph::Step& step(std::size_t op) const { return graph_.steps()[op]; }
  int forward_time(std::size_t op) const { return static_cast<int>(op); }
  int loss_time() const { return static_cast<int>(use_.ops); }
  int backward_time(std::size_t op) const { return static_cast<int>(2 * use_.ops - op); }
  int end_time() const { return static_cast<int>(2 * use_.ops + 1); }

  int make(std::int64_t columns) {
    lives_.push_back({.columns = columns});
    return static_cast<int>(lives_.size() - 1);
  }
  int value(std::size_t v) const { return of_value_[graph_.storage(v)]; }
  int gradient(std::size_t v) const { return of_gradient_[graph_.storage(v)]; }
  void use(int buffer, int time, int phase) {
    if (buffer != kNone) lives_[at(buffer)].use(time, phase);
  }

  void make_values() {
    for (std::size_t v = 0; v < graph_.values(); ++v)
      if (graph_.storage(v) == v) of_value_[v] = make(element_count(graph_.shape(v)));
    for (const std::size_t v : use_.aim.inputs(graph_)) {
      plan_.inputs.push_back(value(v));
      use(value(v), -1, -1);
    }
    plan_.output = value(use_.aim.output(graph_));
    plan_.ops.resize(graph_.ops());
    for (std::size_t op = 0; op < graph_.ops(); ++op) {
      for (const std::size_t v : step(op).inputs) plan_.ops[op].x.push_back(value(v));
      plan_.ops[op].y = value(step(op).output);
      plan_.ops[op].dx.assign(step(op).inputs.size(), kNone);
    }
    plan_.last_value = value(last_value());
  }

  /// One buffer for each reader of a value that needs a gradient; the first reader's is the sum.
  void make_gradients() {
    plan_.backward.assign(graph_.ops(), false);
    plan_.sums.resize(graph_.ops());
    for (std::size_t v = 0; v < graph_.values(); ++v) {
      if (graph_.storage(v) != v || !needs_gradient_[v]) continue;
      const std::int64_t columns = element_count(graph_.shape(v));
      std::vector<int> slots;
      std::size_t first_reader = 0;
      for (const auto& [op, input] : readers_[v]) {
        if (op >= use_.ops || !runs_[op] || !needs_[op].passes_gradient) continue;
        plan_.ops[op].dx[input] = make(columns);
        if (slots.empty()) first_reader = op;
        slots.push_back(plan_.ops[op].dx[input]);
      }
      if (v == graph_.storage(last_value())) {
        plan_.output_gradient = make(columns);
        slots.push_back(plan_.output_gradient);
      }
      if (slots.empty()) continue;
      of_gradient_[v] = slots.front();
      if (slots.size() == 1) continue;
      plan_.sums[first_reader].push_back({slots.front(), {slots.begin() + 1, slots.end()}});
      for (const int slot : slots)
        use(slot, backward_time(first_reader), phases_.backward(first_reader));
    }
    for (std::size_t op = 0; op < use_.ops; ++op) {
      plan_.ops[op].dy = gradient(step(op).output);
      const bool ends = needs_[op].adds_to_loss && plan_.ops[op].dx[0] != kNone;
      plan_.backward[op] = plan_.ops[op].dy != kNone || ends;
    }
  }

  std::size_t last_value() const {
    return loss_takes_over() ? step(use_.ops).inputs[0] : use_.aim.output(graph_);
  }

  bool loss_takes_over() const { return use_.ops < ops_with_loss(graph_, use_); }

  void use_in_forward() {
    for (std::size_t op = 0; op < use_.ops; ++op) {
      if (!runs_[op]) continue;
      auto& buffers = plan_.ops[op];
      const int time = forward_time(op);
      for (const int x : buffers.x) use(x, time, phases_.forward(op));
      use(buffers.y, time, phases_.forward(op));
      if (needs_[op].kept_per_row > 0 && use_.training) {
        buffers.kept = make(needs_[op].kept_per_row);
        use(buffers.kept, time, phases_.forward(op));
      }
      if (use_.training && needs_[op].forward_sums > 0)
        for (const int x : buffers.x) use(x, time, phases_.forward(op) - 1);
    }
    // Whoever runs the pass reads the results when it is over, or hands them to the loss.
    for (const int result : {plan_.last_value, plan_.output})
      use(result, loss_time(), phases_.loss());
    if (const auto mask = graph_.mask(use_.aim.output(graph_)))
      use(value(*mask), loss_time(), phases_.loss());
    use(plan_.output_gradient, loss_time(), phases_.loss());
    for (std::size_t op = 0; op < use_.ops; ++op)
      if (needs_[op].adds_to_loss && runs_[op]) use(plan_.ops[op].y, loss_time(), phases_.loss());
    for (std::size_t op = use_.ops; op < ops_with_loss(graph_, use_); ++op) {
      for (const int x : plan_.ops[op].x) use(x, loss_time(), phases_.loss());
      use(plan_.ops[op].y, loss_time(), phases_.loss());
    }
  }

  void use_in_backward() {
    for (std::size_t op = 0; op < use_.ops; ++op) {
      if (!plan_.backward[op]) continue;
      const auto& buffers = plan_.ops[op];
      const int time = backward_time(op), phase = phases_.backward(op);
      const auto read = [&](int buffer) { use(buffer, time, phase); };
      read(buffers.dy);
      read(buffers.kept);
      for (const int dx : buffers.dx) read(dx);
      if (needs_[op].backward_reads_y) read(buffers.y);
      if (needs_[op].backward_reads_x)
        for (const int x : buffers.x) read(x);
      if (needs_[op].backward_sums > 0) {
        use(buffers.dy, time, phase - 1);
        for (const int x : buffers.x) use(x, time, phase - 1);
      }
    }
    const GradientPlan gradients = plan_gradients(graph_, use_.way, use_.aim);
    for (const TrainedParameter& parameter : gradients.parameters)
      for (const auto& [op, number] : parameter.uses)
        if (op < use_.ops) use_for_gradient(op, parameter);
  }

  /// Gradients are computed beside the backward of the parameter's first use, or by its owners
  /// when all is over.
  void use_for_gradient(std::size_t op, const TrainedParameter& parameter) {
    const auto& buffers = plan_.ops[op];
    const std::size_t first = parameter.uses.front().op;
    std::vector<int> read = buffers.x;
    read.insert(read.end(), {buffers.dy, buffers.kept});
    if (needs_[op].gradient_reads_y) read.push_back(buffers.y);
    for (const int buffer : read) {
      if (buffer == kNone) continue;
      if (parameter.way == GradientWay::kRows) {
        use(buffer, backward_time(first), phases_.backward(first));
      } else {
        use(buffer, end_time(), std::numeric_limits<int>::max());
        lives_[at(buffer)].read_by_owners = true;
      }
    }
  }

  void share_in_place() {
    std::vector<bool> is_input(lives_.size(), false);
    for (const int input : plan_.inputs) is_input[at(input)] = true;
    for (std::size_t op = 0; op < use_.ops; ++op) {
      if (!needs_[op].forward_in_place || !runs_[op]) continue;
      const auto& buffers = plan_.ops[op];
      if (!is_input[at(buffers.x[0])] &&
          lives_[at(root(buffers.x[0]))].last_time == forward_time(op))
        merge(buffers.x[0], buffers.y);
    }
    for (std::size_t op = use_.ops; use_.training && op-- > 0;) {
      const auto& buffers = plan_.ops[op];
      if (needs_[op].backward_in_place && buffers.dy != kNone && buffers.dx[0] != kNone &&
          lives_[at(root(buffers.dy))].last_time == backward_time(op))
        merge(buffers.dy, buffers.dx[0]);
    }
    // The loss goes on where the network's last activation would have worked.
    if (loss_takes_over() && needs_[use_.ops].forward_in_place &&
        lives_[at(root(plan_.last_value))].last_time == loss_time() &&
        !is_input[at(root(plan_.last_value))])
      merge(plan_.last_value, plan_.output);
  }

  /// The later buffer lies where the earlier one does.
  void merge(int earlier, int later) {
    Life& into = lives_[at(root(earlier))];
    Life& from = lives_[at(root(later))];
    if (into.columns != from.columns || &into == &from) return;
    into.use(from.first_time, from.first_phase);
    into.use(from.last_time, from.last_phase);
    into.read_by_owners = into.read_by_owners || from.read_by_owners;
    from.same_as = root(earlier);
  }

  const Graph& graph_;
  const WorkspaceUse& use_;
  WorkspacePlan& plan_;
  Phases phases_;
  std::vector<Needs> needs_;
  std::vector<std::vector<Graph::Reader>> readers_;
  std::vector<bool> runs_;
  std::vector<bool> needs_gradient_;
  std::vector<Life> lives_;
  std::vector<int> of_value_, of_gradient_;
};

Scope scope_of(const Life& life, const WorkspaceUse& use) {
  if (use.shared && life.read_by_owners) return Scope::kHost;
  const bool blocks = use.rows[std::size_t(Scope::kBlock)] < use.rows[std::size_t(Scope::kRank)];
  return blocks && life.first_phase == life.last_phase ? Scope::kBlock : Scope::kRank;
}

/// Gives buffers of one scope their places: in the order of their births, each in the smallest gap
/// that is large enough. What other ranks read is never used again.
void place(std::vector<Buffer*> buffers, std::int64_t rows, std::int64_t& floats) {
  std::ranges::stable_sort(buffers, {}, [](const Buffer* b) { return b->first; });
  std::vector<const Buffer*> alive;  // by offset
  const auto size = [&](const Buffer& b) { return FloatBuffer::padded(rows * b.columns); };
  for (Buffer* buffer : buffers) {
    std::erase_if(alive, [&](const Buffer* b) { return b->last < buffer->first; });
    const std::int64_t wanted = size(*buffer);
    std::int64_t end = 0, best_gap = std::numeric_limits<std::int64_t>::max(), best = -1;
    for (const Buffer* other : alive) {
      const std::int64_t gap = other->offset - end;
      if (gap >= wanted && gap < best_gap) best_gap = gap, best = end;
      end = std::max(end, other->offset + size(*other));
    }
    buffer->offset = best >= 0 ? best : end;
    floats = std::max(floats, buffer->offset + wanted);
    const auto behind = std::ranges::upper_bound(alive, buffer->offset, {},
                                                 [](const Buffer* b) { return b->offset; });
    alive.insert(behind, buffer);
  }
}

}  // namespace

Phases::Phases(const Graph& graph, const WorkspaceUse& use) {
  const std::vector<bool> runs = use.aim.runs(graph);
  for (std::size_t op = 0; use.training && op < use.ops; ++op) {
    if (!runs[op]) continue;
    const Needs needs = graph.steps()[op].op->needs();
    if (needs.forward_sums + needs.backward_sums > 0) cuts_.push_back(op);
  }
}

int Phases::forward(std::size_t op) const {
  return static_cast<int>(std::ranges::upper_bound(cuts_, op) - cuts_.begin());
}

int Phases::backward(std::size_t op) const {
  return cuts() + static_cast<int>(cuts_.end() - std::ranges::lower_bound(cuts_, op));
}

std::size_t ops_with_loss(const Graph& graph, const WorkspaceUse& use) {
  return use.aim.ops(graph);
}

WorkspacePlan plan_workspace(const Graph& graph, const WorkspaceUse& use) {
  WorkspacePlan plan;
  const Lives lives(graph, use, plan);
  const bool blocks = use.rows[std::size_t(Scope::kBlock)] < use.rows[std::size_t(Scope::kRank)];
  plan.buffers.resize(lives.size());
  std::array<std::vector<Buffer*>, kScopes> of_scope;
  for (std::size_t i = 0; i < lives.size(); ++i) {
    const Life& life = lives[i];
    if (life.same_as != kNone || life.last_time < life.first_time) continue;
    Buffer& buffer = plan.buffers[i];
    buffer = {.scope = scope_of(life, use),
              .columns = life.columns,
              .offset = 0,
              .first = life.first_time,
              .last = life.last_time};
    if (buffer.scope == Scope::kHost)
      buffer.first = -1, buffer.last = std::numeric_limits<int>::max();
    if (buffer.scope == Scope::kRank && blocks)
      buffer.first = life.first_phase, buffer.last = life.last_phase;
    of_scope[static_cast<std::size_t>(buffer.scope)].push_back(&buffer);
  }
  for (std::size_t scope = 0; scope < kScopes; ++scope)
    place(of_scope[scope], use.rows[scope], plan.floats[scope]);
  for (std::size_t i = 0; i < lives.size(); ++i) {
    const int root = lives.root(static_cast<int>(i));
    plan.buffers[i] = plan.buffers[static_cast<std::size_t>(root)];
  }
  return plan;
}

}  // namespace lockstep
