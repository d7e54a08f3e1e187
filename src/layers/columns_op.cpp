#include "src/layers/columns_op.hpp"

#include <algorithm>
#include <memory>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

class ColumnsOp final : public Op {
 public:
  explicit ColumnsOp(std::int64_t first) : first_(first) {}

  Needs needs() const override { return {.backward_reads_x = false, .backward_reads_y = false}; }

  void forward(const Pass&, const OpValues& values) const override {
    const ConstMatrix x = values.x();
    const Matrix y = values.y();
    for (std::int64_t i = 0; i < y.rows; ++i) std::copy_n(x.row(i) + first_, y.columns, y.row(i));
  }

  void backward(const Pass&, const OpValues& values) const override {
    const Matrix dx = values.dx(), dy = values.dy();
    if (dx.empty()) return;
    std::ranges::fill(dx.flat(), 0.0f);
    for (std::int64_t i = 0; i < dy.rows; ++i)
      std::copy_n(dy.row(i), dy.columns, dx.row(i) + first_);
  }

 private:
  std::int64_t first_;
};

}  // namespace

std::size_t columns_of(Graph& graph, std::size_t value, std::int64_t first, const Shape& shape) {
  return graph.add(std::make_unique<ColumnsOp>(first), {value}, shape);
}

}  // namespace lockstep
