#include "launch/cli/model_source.hpp"

#include "io/files/atomic_file.hpp"
#include "launch/cli/screen.hpp"
#include "src/core/printable.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

template <class Function>
auto naming(const std::string& source, const Function& function) {
  try {
    return function();
  } catch (const Error& error) {
    const std::string label = fmt::format("[{}]", printable(source)), said = error.what();
    fail(error.code(), "{}", said.starts_with(label) ? said : label + " " + said);
  }
}

/// For rows of this shape, where the network itself does not say its input.
void build_for(const Shape& row_shape, const ModelSource& source, Network& model) {
  try {
    model.build(row_shape.empty() ? Shape{1} : row_shape);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", printable(source.name()), error.what());
  }
}

std::string text_of(const po::variables_map& given, const char* option) {
  return given.contains(option) ? given[option].as<std::string>() : "";
}

}  // namespace

std::string ModelSource::name() const {
  return !file.empty() ? file : !model.empty() ? model : "--layers";
}

void add_model_source(po::options_description& known) {
  known.add_options()("model-file", po::value<std::string>(), "")(
      "model", po::value<std::string>(), "")("layers", po::value<std::string>(), "")(
      "weights", po::value<std::string>(), "");
}

ModelSource model_source_from(const po::variables_map& given) {
  ModelSource source{text_of(given, "model-file"), text_of(given, "model"),
                     text_of(given, "layers"), text_of(given, "weights")};
  const int networks = !source.file.empty() + !source.model.empty() + !source.layers.empty();
  check(networks > 0, ExitCode::kUsage,
        "[options] expected MODEL.h5, or --model or --layers with --weights, got none");
  check(networks == 1, ExitCode::kUsage,
        "[options] expected one of MODEL.h5, --model and --layers, got {}", networks);
  check(source.file.empty() || source.weights.empty(), ExitCode::kUsage,
        "[options] --weights: expected --model or --layers with it; {} has weights of its own",
        printable(source.file));
  check(!source.file.empty() || !source.weights.empty(), ExitCode::kUsage,
        "[options] expected --weights FILE with --{}, got none",
        source.model.empty() ? "layers" : "model");
  return source;
}

LoadedModel read_network(const ModelSource& source, const Shape& row_shape) {
  NetworkRemarks remarks;
  Network model =
      source.model.empty() ? model_from_layers_text(source.layers) : naming(source.model, [&] {
        return model_from_json_text(read_file(source.model), "", remarks);
      });
  if (!model.built()) build_for(row_shape, source, model);
  if (!source.weights.empty()) load_weights(source.weights, remarks, model);
  return {std::move(model), std::nullopt, 0, "", std::move(remarks)};
}

LoadedModel draw_network(const ModelSource& source, const Shape& row_shape, std::uint64_t seed) {
  LoadedModel drawn = read_network({"", source.model, source.layers, ""}, row_shape);
  drawn.model.initialize(seed);
  return drawn;
}

LoadedModel load_network(const ModelSource& source, const std::optional<Shape>& row_shape,
                         const CompileLoaded& compile) {
  if (!source.file.empty()) return load_model(source.file, compile, row_shape);
  LoadedModel loaded = read_network(source, row_shape.value_or(Shape()));
  compile(loaded.model, "");
  return loaded;
}

std::int64_t batch_size_for(const Network& model, std::optional<std::int64_t> given) {
  constexpr std::int64_t kKeras = 32;
  if (given) return *given;
  return model.is_stateful() && model.batch_size() > 0 ? model.batch_size() : kKeras;
}

void print_notes(const ModelSource& source, const NetworkRemarks& remarks) {
  for (const std::string& note : remarks.notes)
    print_error(fmt::format("note: {}: {}", printable(source.name()), note));
}

}  // namespace lockstep
