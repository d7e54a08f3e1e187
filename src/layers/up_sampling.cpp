#include "src/layers/up_sampling.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/error.hpp"
#include "src/kernels/kernels.hpp"
#include "src/layers/position_axes.hpp"
#include "src/layers/strided_op.hpp"

namespace lockstep {
namespace {

/// Which positions each position is mixed of.
class PositionMix {
 public:
  /// `terms[i]`: of position i, in the order of its chain.
  explicit PositionMix(const std::vector<std::vector<PositionTerm>>& terms) {
    for (const auto& of_one : terms) {
      terms_.insert(terms_.end(), of_one.begin(), of_one.end());
      ends_.push_back(static_cast<std::int64_t>(terms_.size()));
    }
  }
  void apply(ConstMatrix from, Matrix to) const {
    const auto positions = static_cast<std::int64_t>(ends_.size());
    for (std::int64_t i = 0; i < to.rows; ++i)
      kernels().mix_positions(from.row(i), terms_.data(), ends_.data(), positions,
                              to.columns / positions, to.row(i));
  }

 private:
  std::vector<PositionTerm> terms_;
  std::vector<std::int64_t> ends_;
};

/// y: chains of fma over the input's positions ascending; dx: over the output's, by the same
/// weights.
class MixOp final : public Op {
 public:
  MixOp(PositionMix forward, PositionMix backward)
      : forward_(std::move(forward)), backward_(std::move(backward)) {}

  Needs needs() const override { return {.backward_reads_x = false, .backward_reads_y = false}; }
  void forward(const Pass&, const OpValues& values) const override {
    forward_.apply(values.x(), values.y());
  }
  void backward(const Pass&, const OpValues& values) const override {
    if (!values.dx().empty()) backward_.apply(values.dy(), values.dx());
  }

 private:
  PositionMix forward_, backward_;
};

/// What one axis contributes to position `i` of an output: two positions at most, with weights of
/// more than 0.
std::vector<PositionTerm> linear_terms(std::int64_t i, std::int64_t factor, std::int64_t extent) {
  const std::int64_t halves = 2 * i + 1 - factor;  // at halves / (2 factor)
  if (halves <= 0) return {{0, 1.0f}};
  const std::int64_t low = halves / (2 * factor), rest = halves % (2 * factor);
  if (rest == 0 || low + 1 >= extent) return {{std::min(low, extent - 1), 1.0f}};
  const float share = static_cast<float>(rest) / static_cast<float>(2 * factor);
  return {{low, 1 - share}, {low + 1, share}};
}

std::size_t add_bilinear(Graph& graph, std::size_t value, const Shape& size, const Shape& output) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();  // terms for each
  check(element_count(output) <= kMost, ExitCode::kBadData,
        "expected at most {} elements a sample, got {}", kMost, to_string_batched(output));
  const Shape input = graph.shape(value);
  std::vector<std::vector<PositionTerm>> forward,
      backward(static_cast<std::size_t>(input[0] * input[1]));
  for (std::int64_t height = 0; height < output[0]; ++height)
    for (std::int64_t width = 0; width < output[1]; ++width) {
      std::vector<PositionTerm>& terms = forward.emplace_back();
      const auto at = static_cast<std::int64_t>(forward.size()) - 1;
      for (const PositionTerm& line : linear_terms(height, size[0], input[0]))
        for (const PositionTerm& one : linear_terms(width, size[1], input[1])) {
          const std::int64_t position = line.position * input[1] + one.position;
          const float weight = line.weight * one.weight;
          terms.push_back({position, weight});
          backward[static_cast<std::size_t>(position)].push_back({at, weight});
        }
    }
  return graph.add(std::make_unique<MixOp>(PositionMix(forward), PositionMix(backward)), {value},
                   output);
}

/// Each axis is followed by one along which its positions are repeated.
std::size_t add_repeats(Graph& graph, std::size_t value, const Shape& size, const Shape& output) {
  const Shape input = graph.shape(value);
  Shape from, to;
  for (std::size_t i = 0; i < size.size(); ++i) {
    from.insert(from.end(), {input[i], 1});
    to.insert(to.end(), {input[i], size[i]});
  }
  from.push_back(input.back());
  to.push_back(input.back());
  return graph.reshape(broadcast_to(graph, graph.reshape(value, from), to), output);
}

}  // namespace

UpSampling::UpSampling(Shape size, Interpolation interpolation)
    : size_(std::move(size)), interpolation_(interpolation) {
  check(!size_.empty() && *std::ranges::min_element(size_) > 0, ExitCode::kBadData,
        "[up_sampling] expected positive factors, got {}", to_string(size_));
  check(interpolation == Interpolation::kNearest || size_.size() == 2, ExitCode::kBadData,
        "[up_sampling] expected two axes for bilinear interpolation, got {}", size_.size());
}

std::string UpSampling::class_name() const {
  return fmt::format("UpSampling{}D", size_.size());
}

std::size_t UpSampling::lower(Graph& graph, std::span<const std::size_t> inputs) {
  const Shape& input = graph.shape(inputs[0]);
  check_positions(name(), input, size_.size());
  Shape output = input;
  for (std::size_t i = 0; i < size_.size(); ++i) output[i] *= size_[i];
  return interpolation_ == Interpolation::kNearest ? add_repeats(graph, inputs[0], size_, output)
                                                   : add_bilinear(graph, inputs[0], size_, output);
}

nlohmann::ordered_json UpSampling::config() const {
  if (size_.size() == 1) return {{"size", size_.front()}};
  nlohmann::ordered_json config{{"size", size_}, {"data_format", "channels_last"}};
  if (size_.size() == 2)
    config["interpolation"] = interpolation_ == Interpolation::kNearest ? "nearest" : "bilinear";
  return config;
}

}  // namespace lockstep
