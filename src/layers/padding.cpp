#include "src/layers/padding.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/layers/position_axes.hpp"

namespace lockstep {
namespace {

/// A box of positions within the positions of a sample: (depth, height, width, channels).
struct Box {
  PositionAxes whole = {1, 1, 1};
  PositionAxes first = {0, 0, 0};  ///< the box's first position
  PositionAxes extent = {1, 1, 1};
  std::int64_t channels = 1;
};

/// f(at, inside) of each line of the whole, in order; `inside`: whether the box has a part of it.
template <class F>
void for_lines(const Box& box, const F& f) {
  const auto within = [&](std::size_t axis, std::int64_t at) {
    return at >= box.first[axis] && at < box.first[axis] + box.extent[axis];
  };
  for (std::int64_t depth = 0; depth < box.whole[0]; ++depth)
    for (std::int64_t height = 0; height < box.whole[1]; ++height)
      f(within(0, depth) && within(1, height));
}

/// The box is written into the whole, zeros around it.
void put(const Box& box, const float* from, float* to) {
  const std::int64_t line = box.whole[2] * box.channels, some = box.extent[2] * box.channels;
  const std::int64_t before = box.first[2] * box.channels;
  for_lines(box, [&](bool inside) {
    if (inside) {
      std::fill_n(to, before, 0.0f);
      std::copy_n(from, some, to + before);
      std::fill_n(to + before + some, line - before - some, 0.0f);
      from += some;
    } else {
      std::fill_n(to, line, 0.0f);
    }
    to += line;
  });
}

void take(const Box& box, const float* from, float* to) {
  const std::int64_t some = box.extent[2] * box.channels;
  for_lines(box, [&](bool inside) {
    if (inside) to = std::copy_n(from + box.first[2] * box.channels, some, to);
    from += box.whole[2] * box.channels;
  });
}

/// ZeroPadding puts the input into a larger whole, Cropping takes the output out of one: each is
/// the other's gradient.
class BoxOp final : public Op {
 public:
  BoxOp(const Box& box, bool pads) : box_(box), pads_(pads) {}

  Needs needs() const override { return {.backward_reads_x = false, .backward_reads_y = false}; }
  void forward(const Pass&, const OpValues& values) const override {
    move(pads_, values.x(), values.y());
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (!values.dx().empty()) move(!pads_, values.dy(), values.dx());
  }

 private:
  void move(bool puts, ConstMatrix from, Matrix to) const {
    for (std::int64_t i = 0; i < to.rows; ++i) (puts ? put : take)(box_, from.row(i), to.row(i));
  }

  Box box_;
  bool pads_;
};

std::size_t add_box(Graph& graph, std::size_t value, const Margins& margins, bool pads) {
  const Shape input = graph.shape(value);
  Shape output = input;
  PositionAxes first = {0, 0, 0};
  for (std::size_t i = 0, axis = 3 - margins.size(); i < margins.size(); ++i, ++axis) {
    first[axis] = margins[i].before;
    const std::int64_t more = margins[i].before + margins[i].behind;
    output[i] += pads ? more : -more;
  }
  const Box box{.whole = position_axes(pads ? output : input),
                .first = first,
                .extent = position_axes(pads ? input : output),
                .channels = input.back()};
  return graph.add(std::make_unique<BoxOp>(box, pads), {value}, output);
}

/// As Keras writes them: [1, 1], or [[1, 1], [0, 2]].
nlohmann::ordered_json margins_json(const Margins& margins) {
  nlohmann::ordered_json json;
  for (const auto& [before, behind] : margins) json.push_back({before, behind});
  return margins.size() == 1 ? json.front() : json;
}

/// Keras 2 takes no data_format where there is one axis.
nlohmann::ordered_json margins_config(const char* key, const Margins& margins) {
  nlohmann::ordered_json config{{key, margins_json(margins)}};
  if (margins.size() > 1) config["data_format"] = "channels_last";
  return config;
}

}  // namespace

std::string ZeroPadding::class_name() const {
  return fmt::format("ZeroPadding{}D", padding_.size());
}

std::size_t ZeroPadding::lower(Graph& graph, std::span<const std::size_t> inputs) {
  check_positions(name(), graph.shape(inputs[0]), padding_.size());
  return add_box(graph, inputs[0], padding_, true);
}

nlohmann::ordered_json ZeroPadding::config() const {
  return margins_config("padding", padding_);
}

std::string Cropping::class_name() const {
  return fmt::format("Cropping{}D", cropping_.size());
}

std::size_t Cropping::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape& input = graph.shape(inputs[0]);
  check_positions(name(), input, cropping_.size());
  for (std::size_t i = 0; i < cropping_.size(); ++i)
    check(cropping_[i].before + cropping_[i].behind < input[i], ExitCode::kBadData,
          "[{}] expected cropping that leaves something of {}, got {}", name(),
          to_string_batched(input), margins_json(cropping_).dump());
  return add_box(graph, inputs[0], cropping_, false);
}

nlohmann::ordered_json Cropping::config() const {
  return margins_config("cropping", cropping_);
}

}  // namespace lockstep
