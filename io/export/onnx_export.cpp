#include "io/export/onnx_export.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <limits>

#include "io/export/onnx_graph.hpp"
#include "src/core/floating_point.hpp"
#include "src/core/printable.hpp"
#include "src/core/problems.hpp"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::int64_t kIrVersion = 8, kOpset = 17;

const OnnxEmits& all_emits() {
  static const OnnxEmits emits = [] {
    OnnxEmits all;
    for (const OnnxEmits& some : {onnx_plain_layers(), onnx_position_layers(),
                                  onnx_normalizations(), onnx_sequence_layers()})
      all.insert(some.begin(), some.end());
    return all;
  }();
  return emits;
}

/// The layer's output for its inputs as they are, whatever its data_format.
std::string emitted(OnnxGraph& graph, const LayerUse& use, OnnxInputs x) {
  const bool first = use.layer.channels_first();
  for (std::size_t i = 0; i < x.size(); ++i)
    if (first && use.inputs[i].size() > 1) x[i] = graph.behind(x[i], use.inputs[i].size());
  const auto emit = all_emits().find(use.layer.class_name());
  check(emit != all_emits().end(), ExitCode::kBadData,
        "[{}] expected a layer that ONNX can express, got {}", printable(use.layer.name()),
        use.layer.class_name());
  const std::string y = emit->second(graph, use, x);
  return first && use.output.size() > 1 ? graph.in_front(y, use.output.size()) : y;
}

// --- protobuf ---

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
  };
  std::visit(Setter{attribute}, value);
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
  Problems problems;
  OnnxInputs values;
  for (std::size_t i = 0; i < model.calls().size(); ++i) {
    const LayerUse use(model, i);
    OnnxInputs x;
    for (const Network::Output& input : model.calls()[i].inputs) x.push_back(values[input.call]);
    if (x.empty()) x = {"input"};
    graph.begin(use.layer.name());
    try {
      refuse_masks_and_states(model, i);
      values.push_back(emitted(graph, use, x));
    } catch (const Error& error) {
      problems.add(fmt::format("[{}]", printable(use.layer.name())), without_where(error));
      values.emplace_back("input");
    }
  }
  problems.throw_if_any(ExitCode::kBadData);
  const std::string& result = values[model.outputs().front().call];
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
  for (const OnnxGraph::Node& node : graph.nodes()) {
    onnx::NodeProto& one = *to.add_node();
    one.set_op_type(node.op);
    one.set_name(node.outputs.back());
    for (const std::string& input : node.inputs) one.add_input(input);
    for (const std::string& output : node.outputs) one.add_output(output);
    for (const auto& [name, value] : node.attributes) set_attribute(name, value, one);
  }
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
