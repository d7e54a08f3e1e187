#include "src/layers/rescaling.hpp"

#include <nlohmann/json.hpp>

#include "src/kernels/kernels.hpp"

namespace lockstep {

namespace {

class RescalingOp final : public Op {
 public:
  explicit RescalingOp(Scaling scaling) : scaling_(scaling) {}

  Needs needs() const override {
    return {.forward_in_place = true,
            .backward_in_place = true,
            .backward_reads_x = false,
            .backward_reads_y = false};
  }
  std::optional<Scaling> scaling() const override { return scaling_; }
  void forward(const Pass&, const OpValues& values) const override {
    const ConstMatrix x = values.x();
    kernels().scale_shift(x.data, values.y().data, x.size(), scaling_.scale, scaling_.offset);
  }
  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dx = values.dx();
    if (!dx.empty())
      kernels().scale_shift(values.dy().data, dx.data, dx.size(), scaling_.scale, 0.0f);
  }

 private:
  Scaling scaling_;
};

}  // namespace

std::size_t Rescaling::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Scaling scaling{static_cast<float>(scale_), static_cast<float>(offset_)};
  return graph.add(std::make_unique<RescalingOp>(scaling), {inputs[0]}, graph.shape(inputs[0]));
}

nlohmann::ordered_json Rescaling::config() const {
  return {{"scale", scale_}, {"offset", offset_}};
}

}  // namespace lockstep
