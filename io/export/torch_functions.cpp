#include "io/export/torch_functions.hpp"

#include <algorithm>
#include <utility>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::pair<const char*, const char*> kFunctions[] = {
    {"attention", R"py(def attention(query, key, value, allowed, otherwise, dropout):
    """Scaled dot-product attention over the keys that are allowed; a query without any weighs all of them by `otherwise`."""
    scores = (query @ key.mT) * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~allowed, -1e30).softmax(-1)
    weights = torch.where(allowed.any(-1, keepdim=True), weights, otherwise)
    return F.dropout(weights, dropout) @ value
)py"},
    {"over_steps", R"py(def over_steps(step, x, states, mask=None, backward=False, zeros=False):
    """step(x at a step, *states) gives the states behind it, the first of which is its output. Returns all outputs, in
    the order of the steps, and the last states. Where the mask is False, states stay, and an output is that of the step
    before, or 0 (`zeros`)."""
    outputs, output = [], torch.zeros_like(states[0])
    order = range(x.shape[1])
    for position in reversed(order) if backward else order:
        behind = step(x[:, position], *states)
        if mask is None:
            states, output = behind, behind[0]
        else:
            counts = mask[:, position]
            output = torch.where(counts, behind[0], torch.zeros_like(output) if zeros else output)
            states = tuple(torch.where(counts, new, old) for new, old in zip(behind, states))
        outputs.append(output)
    return torch.stack(outputs, 1), states
)py"},
    {"simple_rnn_step", R"py(def simple_rnn_step(recurrent, activation):
    return lambda x, h: (activation(x + recurrent(h)),)
)py"},
    {"lstm_step", R"py(def lstm_step(recurrent, activation, gate):
    def step(x, h, c):
        i, f, g, o = (x + recurrent(h)).chunk(4, 1)
        c = gate(f) * c + gate(i) * activation(g)
        return gate(o) * activation(c), c
    return step
)py"},
    {"gru_step", R"py(def gru_step(recurrent, activation, gate):
    def step(x, h):
        (xr, xz, xn), (hr, hz, hn) = x.chunk(3, 1), recurrent(h).chunk(3, 1)
        z = gate(xz + hz)
        return z * h + (1 - z) * activation(xn + gate(xr + hr) * hn),
    return step
)py"},
    {"gru_reset_before_step",
     R"py(def gru_reset_before_step(recurrent, candidate, activation, gate):
    def step(x, h):
        (xr, xz, xn), (hr, hz) = x.chunk(3, 1), recurrent(h).chunk(2, 1)
        z = gate(xz + hz)
        return z * h + (1 - z) * activation(xn + candidate(gate(xr + hr) * h)),
    return step
)py"},
};

}  // namespace

const char* torch_function(const std::string& name) {
  const auto* const found = std::ranges::find(
      kFunctions, name, [](const auto& known) { return std::string(known.first); });
  check(found != std::end(kFunctions), ExitCode::kUsage,
        "[export] expected a known function, got {}", name);
  return found->second;
}

}  // namespace lockstep
