#include "io/export/onnx_graph.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "src/core/error.hpp"

namespace lockstep {

std::string OnnxGraph::name(const std::string& what) {
  return fmt::format("{}/{}_{}", layer_, what, ++names_);
}

std::string OnnxGraph::constant(Tensor tensor) {
  initializers_.emplace_back(name("constant"), std::move(tensor));
  return initializers_.back().first;
}

std::string OnnxGraph::constant(Integers values) {
  initializers_.emplace_back(name("constant"), std::move(values));
  return initializers_.back().first;
}

std::string OnnxGraph::add(const std::string& op, std::vector<std::string> inputs,
                           Attributes attributes) {
  return add_several(op, std::move(inputs), 1, std::move(attributes)).front();
}

std::vector<std::string> OnnxGraph::add_several(const std::string& op,
                                                std::vector<std::string> inputs,
                                                std::size_t outputs, Attributes attributes) {
  std::vector<std::string> names;
  while (names.size() < outputs) names.push_back(name(op));
  nodes_.push_back({op, std::move(inputs), names, std::move(attributes)});
  return names;
}

std::string OnnxGraph::body_input(bool is_bool) {
  return body_inputs_.emplace_back(name("step"), is_bool).first;
}

std::shared_ptr<const OnnxGraph::Body> OnnxGraph::end_body(std::vector<std::string> outputs) {
  auto body = std::make_shared<Body>();
  body->inputs = std::exchange(body_inputs_, {});
  body->nodes = std::exchange(nodes_, std::move(bodies_.back()));
  body->outputs = std::move(outputs);
  bodies_.pop_back();
  return body;
}

std::string OnnxGraph::transposed(const std::string& x, const Integers& order) {
  bool changes = false;
  for (std::size_t i = 0; i < order.size(); ++i)
    changes = changes || order[i] != static_cast<std::int64_t>(i);
  if (!changes) return x;
  if (const auto known = transposed_from_.find(x); known != transposed_from_.end()) {
    const auto& [from, before] = known->second;
    Integers both;
    for (const std::int64_t axis : order) both.push_back(before[static_cast<std::size_t>(axis)]);
    Integers identity(both.size());
    std::iota(identity.begin(), identity.end(), std::int64_t{0});
    if (both == identity) return from;
  }
  std::string y = add("Transpose", {x}, {{"perm", order}});
  transposed_from_[y] = {x, order};
  return y;
}

std::string OnnxGraph::reshaped(const std::string& x, const Shape& shape) {
  Integers all = {-1};
  all.insert(all.end(), shape.begin(), shape.end());
  return add("Reshape", {x, constant(std::move(all))});
}

std::string OnnxGraph::in_front(const std::string& x, std::size_t axes) {
  Integers order = {0, static_cast<std::int64_t>(axes)};
  for (std::size_t axis = 1; axis < axes; ++axis) order.push_back(static_cast<std::int64_t>(axis));
  return transposed(x, order);
}

std::string OnnxGraph::behind(const std::string& x, std::size_t axes) {
  Integers order = {0};
  for (std::size_t axis = 2; axis <= axes; ++axis) order.push_back(static_cast<std::int64_t>(axis));
  order.push_back(1);
  return transposed(x, order);
}

std::string OnnxGraph::for_each_row(Tensor table, const std::string& x) {
  const std::string rows = add("Gather", {add("Shape", {x}), constant(Integers{0})});
  const Integers rest(table.shape.begin(), table.shape.end());
  const std::string shape = add("Concat", {rows, constant(rest)}, {{"axis", std::int64_t{0}}});
  Shape with_batch = table.shape;
  with_batch.insert(with_batch.begin(), 1);
  return add("Expand", {constant(table.reshaped(with_batch)), shape});
}

std::string OnnxGraph::any(const std::string& x, bool keep_axis) {
  return truth(add("ReduceMax", {number(x)},
                   {{"axes", Integers{-1}}, {"keepdims", std::int64_t{keep_axis}}}));
}

std::string OnnxGraph::with_axes(const std::string& x, const Integers& axes) {
  return add("Unsqueeze", {x, constant(axes)});
}

namespace {

/// What the node reads, and what its bodies do.
void add_read(const OnnxGraph::Node& node, std::unordered_set<std::string>& read) {
  read.insert(node.inputs.begin(), node.inputs.end());
  for (const auto& [name, value] : node.attributes)
    if (const auto* const body = std::get_if<std::shared_ptr<const OnnxGraph::Body>>(&value))
      for (const OnnxGraph::Node& inner : (*body)->nodes) add_read(inner, read);
}

}  // namespace

void OnnxGraph::finish(const std::string& result) {
  std::unordered_set<std::string> read = {result};
  std::vector<Node> kept;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    const auto is_read = [&](const std::string& output) { return read.contains(output); };
    if (std::ranges::none_of(node->outputs, is_read)) continue;
    add_read(*node, read);
    kept.push_back(std::move(*node));
  }
  nodes_.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  std::erase_if(initializers_, [&](const Initializer& one) { return !read.contains(one.first); });
}

std::string onnx_activation(OnnxGraph& graph, const ActivationFunction& function,
                            const std::string& x) {
  const auto& [alpha, max_value, threshold] = function.constants;
  const auto number = [&](double value) { return graph.constant(static_cast<float>(value)); };
  const auto clipped = [&](const std::string& value, double low, double high) {
    return graph.add("Clip", {value, number(low), number(high)});
  };
  using Attributes = OnnxGraph::Attributes;
  const auto of = [&](const char* op, Attributes attributes = {}) {
    return graph.add(op, {x}, std::move(attributes));
  };
  switch (function.kind) {
    case Activation::kLinear:
      return x;
    case Activation::kRelu:
      return of("Relu");
    case Activation::kSigmoid:
      return of("Sigmoid");
    case Activation::kTanh:
      return of("Tanh");
    case Activation::kSoftmax:
      return of("Softmax", {{"axis", std::int64_t{-1}}});
    case Activation::kElu:
      return of("Elu", {{"alpha", alpha}});
    case Activation::kSelu:
      return of("Selu");
    case Activation::kGelu: {
      const std::string erf = graph.add("Erf", {graph.add("Mul", {x, number(std::sqrt(0.5))})});
      const std::string share = graph.add("Add", {erf, number(1)});
      return graph.add("Mul", {graph.add("Mul", {x, share}), number(0.5)});
    }
    case Activation::kSilu:
      return graph.add("Mul", {x, of("Sigmoid")});
    case Activation::kSoftplus:
      return of("Softplus");
    case Activation::kLeakyRelu:
      return of("LeakyRelu", {{"alpha", alpha}});
    case Activation::kClippedRelu: {
      const std::string below =
          graph.add("Mul", {graph.add("Sub", {x, number(threshold)}), number(alpha)});
      const std::string passes = graph.add("GreaterOrEqual", {x, number(threshold)});
      const std::string y = graph.add("Where", {passes, x, below});
      return std::isfinite(max_value) ? graph.add("Min", {y, number(max_value)}) : y;
    }
    case Activation::kRelu6:
      return clipped(x, 0, 6);
    case Activation::kSoftsign:
      return of("Softsign");
    case Activation::kExponential:
      return of("Exp");
    case Activation::kMish:
      return graph.add("Mul", {x, graph.add("Tanh", {of("Softplus")})});
    case Activation::kHardSigmoid:
      return of("HardSigmoid", {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    case Activation::kHardSigmoidKeras2:
      return of("HardSigmoid", {{"alpha", 0.2f}, {"beta", 0.5f}});
    case Activation::kHardSilu:
      return of("HardSwish");
    case Activation::kHardTanh:
      return clipped(x, -1, 1);
    case Activation::kLogSigmoid:
      return graph.add("Neg", {graph.add("Softplus", {of("Neg")})});
    case Activation::kLogSoftmax:
      return of("LogSoftmax", {{"axis", std::int64_t{-1}}});
    case Activation::kSquareplus: {
      const std::string inside = graph.add("Add", {graph.add("Mul", {x, x}), number(4)});
      return graph.add("Mul", {graph.add("Add", {x, graph.add("Sqrt", {inside})}), number(0.5)});
    }
    case Activation::kSparsePlus: {
      const std::string up = graph.add("Add", {graph.add("Max", {x, number(-1)}), number(1)});
      const std::string curve = graph.add("Mul", {graph.add("Mul", {up, up}), number(0.25)});
      return graph.add("Where", {graph.add("Less", {x, number(1)}), curve, x});
    }
    case Activation::kSparseSigmoid:
      return of("HardSigmoid", {{"alpha", 0.5f}, {"beta", 0.5f}});
    case Activation::kTanhShrink:
      return graph.add("Sub", {x, of("Tanh")});
    case Activation::kSoftShrink:
      return of("Shrink", {{"lambd", 0.5f}, {"bias", 0.5f}});
    case Activation::kHardShrink:
      return of("Shrink", {{"lambd", 0.5f}, {"bias", 0.0f}});
    case Activation::kCount:
      break;
  }
  fail(ExitCode::kBadData, "[export] expected an activation that ONNX has, got {}",
       activation_name(function.kind));
}

std::string onnx_activated(OnnxGraph& graph, const LayerUse& use, const std::string& x) {
  return onnx_activation(graph, ActivationFunction(use.layer.final_activation()), x);
}

std::string onnx_dense(OnnxGraph& graph, std::size_t axes, Tensor kernel,
                       std::optional<Tensor> bias, const std::string& x) {
  std::vector<std::string> inputs = {x, graph.constant(std::move(kernel))};
  if (axes == 1) {
    if (bias) inputs.push_back(graph.constant(std::move(*bias)));
    return graph.add("Gemm", std::move(inputs));
  }
  const std::string y = graph.add("MatMul", std::move(inputs));
  return bias ? graph.add("Add", {y, graph.constant(std::move(*bias))}) : y;
}

std::string onnx_layer_norm(OnnxGraph& graph, const Shape& shape, Tensor scale, Tensor offset,
                            double epsilon, const std::string& x) {
  return graph.add("LayerNormalization",
                   {x, graph.constant(std::move(scale)), graph.constant(std::move(offset))},
                   {{"axis", -static_cast<std::int64_t>(shape.size())},
                    {"epsilon", static_cast<float>(epsilon)}});
}

}  // namespace lockstep
