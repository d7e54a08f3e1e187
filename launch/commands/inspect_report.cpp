#include "launch/commands/inspect_report.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "io/data/dataset_file.hpp"
#include "io/files/atomic_file.hpp"
#include "io/files/file_kind.hpp"
#include "io/hdf5/hdf5.hpp"
#include "io/import/import.hpp"
#include "io/keras/keras_archive.hpp"
#include "io/keras/keras_file.hpp"
#include "io/keras/keras_trailer.hpp"
#include "launch/commands/inspect_layers.hpp"
#include "src/core/error.hpp"
#include "src/core/hash.hpp"
#include "src/core/json_text.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"
#include "src/model/summary.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kRowsAtATime = 1 << 20;
constexpr std::int64_t kMostClasses = 1000;

/// Smallest and largest number of an integer vector, and how often each class occurs.
struct LabelCounts {
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();
  std::vector<std::int64_t> counts = std::vector<std::int64_t>(kMostClasses);

  bool are_classes() const { return smallest >= 0 && largest < kMostClasses; }

  template <class T>
  void add(std::span<const T> values) {
    for (const T value : values) {
      const auto label = static_cast<std::int64_t>(value);
      smallest = std::min(smallest, label);
      largest = std::max(largest, label);
      if (label >= 0 && label < kMostClasses) ++counts[static_cast<std::size_t>(label)];
    }
  }
};

bool is_integer_vector(const hdf5::DatasetInfo& info) {
  return info.type && is_integer(*info.type) && !info.extents.empty() && info.extents[0] > 0 &&
         element_count(info.extents) == info.extents[0];
}

void describe_labels(const hdf5::File& file, const std::string& path, const hdf5::DatasetInfo& info,
                     ordered_json& entry) {
  LabelCounts labels;
  with_element_type(*info.type, [&]<class T>() {
    std::vector<T> values(static_cast<std::size_t>(std::min(kRowsAtATime, info.extents[0])));
    for (std::int64_t row = 0; row < info.extents[0]; row += kRowsAtATime) {
      const std::int64_t count = std::min(kRowsAtATime, info.extents[0] - row);
      const std::span<T> part = std::span(values).first(static_cast<std::size_t>(count));
      file.read_rows(path, *info.type, row, count, std::as_writable_bytes(part));
      labels.add(std::span<const T>(part));
    }
  });
  entry["smallest"] = labels.smallest;
  entry["largest"] = labels.largest;
  if (!labels.are_classes()) return;
  labels.counts.resize(static_cast<std::size_t>(labels.largest) + 1);
  entry["class_counts"] = labels.counts;
}

/// What training would make of the dataset, or why it would refuse it.
void describe_use(const hdf5::File& file, const std::string& path, const hdf5::DatasetInfo& info,
                  ordered_json& entry) {
  if ((!info.type && !info.text) || info.extents.empty() || info.extents[0] == 0) return;
  try {
    const DatasetFile array(file.name(), path);
    if (!array.notes().empty()) entry["notes"] = array.notes();
  } catch (const Error& error) {
    entry["notes"] = {error.what()};
  }
}

ordered_json describe_dataset(const hdf5::File& file, const std::string& path) {
  const hdf5::DatasetInfo info = file.dataset_info(path);
  ordered_json entry = {{"name", path},
                        {"shape", info.extents},
                        {"type", info.type ? to_string(*info.type) : info.stored_type},
                        {"stored_type", info.stored_type}};
  if (info.type) {
    entry["bytes"] =
        static_cast<std::int64_t>(element_size(*info.type)) * element_count(info.extents);
  }
  entry["bytes_stored"] = info.bytes_stored;
  if (!info.chunk.empty()) entry["chunk"] = info.chunk;
  if (!info.filters.empty()) entry["filters"] = info.filters;
  for (const hdf5::Field& field : info.fields)
    entry["fields"].push_back({{"name", field.name}, {"type", field.stored_type}});
  if (is_integer_vector(info)) describe_labels(file, path, info, entry);
  describe_use(file, path, info, entry);
  return entry;
}

/// A part that cannot be used does not hide the others.
void describe_datasets(const hdf5::File& file, const std::vector<std::string>& paths,
                       ordered_json& report) {
  report["datasets"] = ordered_json::array();
  for (const std::string& path : paths) {
    try {
      report["datasets"].push_back(describe_dataset(file, path));
    } catch (const Error& error) {
      report["datasets"].push_back({{"name", path}, {"problem", error.what()}});
      report["problem"] = error.what();
    }
  }
}

void describe_versions(const hdf5::File& file, const std::string& group, ordered_json& report) {
  for (const char* name : {"keras_version", "backend"}) {
    if (file.has_attribute(group, name)) report[name] = file.read_string(group, name);
  }
}

/// The weights below `root` in Keras's get_weights() order, with their SHA-256.
void describe_weights(const hdf5::File& file, const std::string& root, ordered_json& report) {
  report["weights"] = ordered_json::array();
  std::int64_t parameters = 0;
  Sha256 hash;
  const std::string prefix = root == "/" ? "/" : root + "/";
  for (const std::string& layer : file.read_strings(root, "layer_names")) {
    for (const std::string& weight : file.read_strings(prefix + layer, "weight_names")) {
      const std::string path = prefix + layer + "/" + weight;
      const hdf5::DatasetInfo info = file.dataset_info(path);
      const std::vector<float> values = file.read_floats(path, info.extents);
      hash.add(std::as_bytes(std::span(values)));
      parameters += static_cast<std::int64_t>(values.size());
      report["weights"].push_back({{"layer", layer}, {"name", weight}, {"shape", info.extents}});
    }
  }
  report["parameters"] = parameters;
  report["weights_sha256"] = to_hex(hash.digest());
}

/// SHA-256 of the optimizer's slots, one after the other, each in the order of the weights.
std::string slots_sha256(const Network& model, const OptimizerSlots& slots) {
  Sha256 hash;
  for (const auto& slot : slots)
    for (const Parameter* parameter : model.arena().parameters())
      if (parameter->trained())
        hash.add(std::as_bytes(std::span(slot).subspan(static_cast<std::size_t>(parameter->offset),
                                                       parameter->value.size())));
  return to_hex(hash.digest());
}

void describe_compiled(const LoadedModel& loaded, ordered_json& report) {
  const Network& model = loaded.model;
  report["compiled"] = model.compiled();
  if (!model.compiled()) return;
  report["optimizer"] = model.optimizer().to_json();
  report["optimizer_state"] = loaded.slots.has_value();
  if (loaded.slots) report["optimizer_sha256"] = slots_sha256(model, *loaded.slots);
  report["iterations"] = loaded.iterations;
  report["learning_rate"] = model.optimizer().learning_rate();
  report["loss"] = model.loss().to_json();
  report["metrics"] = ordered_json::array();
  for (const auto& metric : model.metrics()) report["metrics"].push_back(metric->name());
}

/// As the file says; what keeps training from going on is no reason not to describe the rest.
LoadedModel load_for_report(const std::filesystem::path& path, ordered_json& report) {
  const auto compile = [&](Network& model, const std::string& training_config) {
    if (training_config.empty()) return;
    try {
      compile_from_json(model, parse_json(training_config, "the attribute training_config"));
    } catch (const Error& error) {
      report["not_trainable"] = error.what();
    }
  };
  LoadedModel loaded = load_model(path, compile);
  if (!loaded.remarks.training.empty()) report["not_trainable"] = loaded.remarks.training.text();
  return loaded;
}

void describe_training(const std::string& state, ordered_json& report) {
  if (state.empty()) return;
  try {
    report["training_state"] = parse_json(state, "the attribute training_state");
  } catch (const Error& error) {
    report["problem"] = error.what();
  }
}

/// What lockstep import left of where the rows come from.
void describe_mapping(const std::string& json, ordered_json& report) {
  if (json.empty()) return;
  try {
    report["rows_from"] = mapping_line(json, report["file"].get<std::string>());
    report["mapping"] = parse_json(json, "the mapping");
  } catch (const Error& error) {
    report["problem"] = error.what();
  }
}

/// The network of a file, or what Lockstep lacks of it and its list of layers.
void describe_network(const std::filesystem::path& path, const std::string& config,
                      const hdf5::File* weights, ordered_json& report) {
  try {
    const LoadedModel loaded = load_for_report(path, report);
    report["weights_sha256"] = loaded.model.weights_sha256();
    report["parameters"] = loaded.model.parameter_count();
    describe_compiled(loaded, report);
    describe_training(loaded.training_state, report);
    describe_mapping(loaded.table_mapping, report);
    for (const std::string& note : loaded.remarks.notes) report["notes"].push_back(note);
    report["summary"] = summary(loaded.model);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) throw;
    report["problem"] = error.what();
    try {
      report["layers"] = list_layers(parse_json(config, "model JSON"), weights);
    } catch (const Error&) {  // the problem says it
    }
  }
}

void describe_model(const hdf5::File& file, const std::filesystem::path& path,
                    ordered_json& report) {
  report["kind"] = file.exists("/lockstep") ? "checkpoint" : "model";
  describe_versions(file, "/", report);
  const std::string bytes = read_file(path);
  report["trailer_matches"] =
      check_trailer(std::as_bytes(std::span(bytes.data(), bytes.size())), path.string())
          .has_trailer;
  describe_weights(file, "/model_weights", report);
  describe_network(path, file.read_string("/", "model_config"), &file, report);
}

/// Of Keras 3's weights, in the order of their paths.
void describe_numbered_weights(const hdf5::File& file, ordered_json& report) {
  report["weights"] = ordered_json::array();
  std::int64_t parameters = 0;
  for (const std::string& path : file.datasets()) {
    if (path.find("layer") == std::string::npos ||
        path.find("/seed_generator/") != std::string::npos)
      continue;
    const Shape extents = file.dataset_info(path).extents;
    parameters += element_count(extents);
    report["weights"].push_back({{"layer", ""}, {"name", path.substr(1)}, {"shape", extents}});
  }
  report["parameters"] = parameters;
}

void describe_archive(const std::filesystem::path& path, ordered_json& report) {
  const std::string bytes = read_file(path);
  const KerasArchive archive =
      read_keras_archive(std::as_bytes(std::span(bytes.data(), bytes.size())), path.string());
  const hdf5::File weights = hdf5::File::open_image(archive.weights, path.string());
  report["kind"] = "model";
  if (!archive.keras_version.empty()) report["keras_version"] = archive.keras_version;
  describe_numbered_weights(weights, report);
  describe_network(path, archive.config, &weights, report);
}

/// A network as model.to_json() writes it.
void describe_json(const std::filesystem::path& path, ordered_json& report) {
  report["kind"] = "network";
  const std::string text = read_file(path);
  ordered_json json = parse_json(text, "model JSON");
  if (json.is_string()) json = parse_json(json.get<std::string>(), "model JSON");
  report["layers"] = list_layers(json, nullptr);
  try {
    NetworkRemarks remarks;
    const Network model = model_from_json(json, "", remarks);
    if (!remarks.training.empty()) report["not_trainable"] = remarks.training.text();
    if (model.built()) report["summary"] = summary(model);
  } catch (const Error& error) {
    report["problem"] = fmt::format("[{}] {}", path.string(), error.what());
  }
}

/// Keras 3 writes /layers/dense/vars/0 (and, by its first versions, other roots).
bool is_keras3_weights(const std::vector<std::string>& paths) {
  return std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
    return path.find("layer") != std::string::npos && path.find("/vars/") != std::string::npos;
  });
}

}  // namespace

ordered_json inspect_file(const std::filesystem::path& path) {
  std::error_code ignored;
  ordered_json report = {
      {"file", path.string()},
      {"kind", ""},
      {"bytes", static_cast<std::int64_t>(std::filesystem::file_size(path, ignored))}};
  const FileKind kind = file_kind(path);
  if (kind == FileKind::kKerasArchive) return describe_archive(path, report), report;
  if (kind == FileKind::kKerasJson) return describe_json(path, report), report;
  const hdf5::File file = hdf5::File::open(path);
  const std::vector<std::string> paths = file.datasets();
  if (file.has_attribute("/", "model_config")) {
    describe_model(file, path, report);
  } else if (file.has_attribute("/", "layer_names") || file.has_attribute("/", "layer_names0")) {
    report["kind"] = "weights";
    describe_versions(file, "/", report);
    describe_weights(file, "/", report);
  } else {
    check(
        !paths.empty(), ExitCode::kBadData,
        "[inspect] {}: expected a dataset file or a Keras file, got an HDF5 file without datasets",
        path.string());
    report["kind"] = is_keras3_weights(paths) ? "keras3_weights" : "dataset";
    describe_datasets(file, paths, report);
    if (file.has_attribute("/", kTableMapping))
      describe_mapping(file.read_string("/", kTableMapping), report);
  }
  return report;
}

}  // namespace lockstep
