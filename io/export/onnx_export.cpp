#include "io/export/onnx_export.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <limits>

#include "io/export/network_writer.hpp"
#include "io/export/onnx_graph.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::int64_t kIrVersion = 8, kOpset = 17;

const OnnxEmits& all_emits() {
  static const OnnxEmits emits = [] {
    OnnxEmits all;
    for (const OnnxEmits& some :
         {onnx_plain_layers(), onnx_position_layers(), onnx_normalizations(),
          onnx_recurrent_layers(), onnx_attention_layers(), onnx_embeddings()})
      all.insert(some.begin(), some.end());
    return all;
  }();
  return emits;
}

std::string path_of(const LayerUse& use) {
  return use.within == nullptr ? use.layer.name() : path_of(*use.within) + "/" + use.layer.name();
}

class OnnxWriter final : public NetworkWriter {
 public:
  explicit OnnxWriter(OnnxGraph& graph) : graph_(graph) {}

 private:
  /// The layer's outputs for its inputs as they are, whatever its data_format.
  Names write_layer(const LayerUse& use, const Names& inputs) override {
    graph_.begin(path_of(use));
    const bool first = use.layer.channels_first();
    Names x = inputs;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (first && use.inputs[i].size() > 1) x[i] = graph_.behind(x[i], use.inputs[i].size());
    const auto emit = all_emits().find(use.layer.class_name());
    check(emit != all_emits().end(), ExitCode::kBadData,
          "[{}] expected a layer that ONNX can express, got {}", printable(use.layer.name()),
          use.layer.class_name());
    Names y = emit->second(graph_, use, x).names;
    if (first && use.output.size() > 1) y[0] = graph_.in_front(y[0], use.output.size());
    return y;
  }
  std::string reshaped(const std::string& x, const Shape& shape) override {
    return graph_.reshaped(x, shape);
  }
  std::string merged(const std::string& kind, const std::string& a, const std::string& b) override {
    return graph_.add(kind == "Multiply" ? "Mul" : kind == "Maximum" ? "Max" : "Min", {a, b});
  }
  std::string chosen(const std::string& mask, const std::string& value,
                     const std::string& other) override {
    return graph_.add("Where", {graph_.with_axes(mask, {-1}), value, other});
  }
  std::string filled(const std::string& mask, const std::string& value, float other) override {
    return chosen(mask, value, graph_.constant(other));
  }
  std::string differing(const std::string& x, double value) override {
    return graph_.add("Not",
                      {graph_.add("Equal", {x, graph_.constant(static_cast<float>(value))})});
  }
  std::string any_of_last_axis(const std::string& mask) override { return graph_.any(mask, false); }
  std::string either(const std::string& a, const std::string& b) override {
    return graph_.add("Or", {a, b});
  }
  std::string joined(const Names& masks, std::int64_t axis) override {
    return graph_.add("Concat", masks, {{"axis", axis}});
  }
  std::string all_true(const std::string& x, const Shape& positions) override {
    return graph_.truth(graph_.for_each_row(lockstep::filled(positions, 1), x));
  }

  OnnxGraph& graph_;
};

// --- protobuf ---

void set_node(const OnnxGraph::Node& node, onnx::NodeProto& to);

void set_body(const OnnxGraph::Body& body, onnx::GraphProto& to) {
  const auto describe = [](const std::string& name, bool is_bool, onnx::ValueInfoProto& value) {
    value.set_name(name);
    value.mutable_type()->mutable_tensor_type()->set_elem_type(is_bool ? onnx::TensorProto::BOOL
                                                                       : onnx::TensorProto::FLOAT);
  };
  to.set_name("step");
  for (const auto& [name, is_bool] : body.inputs) describe(name, is_bool, *to.add_input());
  for (const std::string& name : body.outputs) describe(name, false, *to.add_output());
  for (const OnnxGraph::Node& node : body.nodes) set_node(node, *to.add_node());
}

void set_attribute(const std::string& name, const OnnxGraph::Attribute& value,
                   onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  struct Setter {
    onnx::AttributeProto& to;
    void operator()(std::int64_t number) const {
      to.set_type(onnx::AttributeProto::INT);
      to.set_i(number);
    }
    void operator()(float number) const {
      to.set_type(onnx::AttributeProto::FLOAT);
      to.set_f(number);
    }
    void operator()(const std::string& text) const {
      to.set_type(onnx::AttributeProto::STRING);
      to.set_s(text);
    }
    void operator()(const OnnxGraph::Integers& numbers) const {
      to.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t number : numbers) to.add_ints(number);
    }
    void operator()(const std::vector<float>& numbers) const {
      to.set_type(onnx::AttributeProto::FLOATS);
      for (const float number : numbers) to.add_floats(number);
    }
    void operator()(const std::vector<std::string>& texts) const {
      to.set_type(onnx::AttributeProto::STRINGS);
      for (const std::string& text : texts) to.add_strings(text);
    }
    void operator()(const std::shared_ptr<const OnnxGraph::Body>& body) const {
      to.set_type(onnx::AttributeProto::GRAPH);
      set_body(*body, *to.mutable_g());
    }
  };
  std::visit(Setter{attribute}, value);
}

void set_node(const OnnxGraph::Node& node, onnx::NodeProto& to) {
  to.set_op_type(node.op);
  to.set_name(node.outputs.back());
  for (const std::string& input : node.inputs) to.add_input(input);
  for (const std::string& output : node.outputs) to.add_output(output);
  for (const auto& [name, value] : node.attributes) set_attribute(name, value, to);
}

void set_initializer(const OnnxGraph::Initializer& initializer, onnx::TensorProto& to) {
  to.set_name(initializer.first);
  if (const Tensor* tensor = std::get_if<Tensor>(&initializer.second)) {
    to.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : tensor->shape) to.add_dims(extent);
    to.set_raw_data(tensor->values.data(), tensor->values.size() * sizeof(float));
    return;
  }
  const auto& numbers = std::get<OnnxGraph::Integers>(initializer.second);
  to.set_data_type(onnx::TensorProto::INT64);
  to.add_dims(static_cast<std::int64_t>(numbers.size()));
  to.set_raw_data(numbers.data(), numbers.size() * sizeof(std::int64_t));
}

void describe(const char* name, const Shape& shape, onnx::ValueInfoProto& to) {
  to.set_name(name);
  onnx::TypeProto::Tensor& type = *to.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const std::int64_t extent : shape) type.mutable_shape()->add_dim()->set_dim_value(extent);
}

/// A map or a time would differ from run to run; there is none here.
std::vector<std::byte> serialized(const onnx::ModelProto& model) {
  const std::size_t size = model.ByteSizeLong();
  check(size <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
        ExitCode::kBadData, "[export] expected at most 2 GiB for an ONNX file, got {} bytes", size);
  std::vector<std::byte> bytes(size);
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(size));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  check(model.SerializeToCodedStream(&stream), ExitCode::kInputOutput,
        "[export] cannot write the ONNX file");
  return bytes;
}

}  // namespace

bool onnx_knows(const std::string& class_name) {
  return all_emits().contains(class_name);
}

std::vector<std::byte> export_to_onnx(const Network& model) {
  const FloatingPointEnvironment environment(Denormals::kKeep);
  OnnxGraph graph;
  const std::string result = OnnxWriter(graph).write(model, "input");
  graph.finish(result);

  onnx::ModelProto proto;
  proto.set_ir_version(kIrVersion);
  proto.set_producer_name("lockstep");
  onnx::OperatorSetIdProto& opset = *proto.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  onnx::GraphProto& to = *proto.mutable_graph();
  to.set_name(model.name());
  describe("input", model.input_shape(), *to.add_input());
  describe("output", model.output_shape(), *to.add_output());
  for (const OnnxGraph::Node& node : graph.nodes()) set_node(node, *to.add_node());
  for (const OnnxGraph::Initializer& initializer : graph.initializers())
    set_initializer(initializer, *to.add_initializer());
  onnx::NodeProto& last = *to.add_node();
  last.set_op_type("Identity");
  last.set_name("output");
  last.add_input(result);
  last.add_output("output");
  return serialized(proto);
}

}  // namespace lockstep
