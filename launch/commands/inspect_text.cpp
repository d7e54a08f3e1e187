#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "launch/commands/inspect_report.hpp"
#include "src/core/printable.hpp"
#include "src/core/shape.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kCountsShown = 20;

std::string safe(const std::string& text) {
  return printable(text);
}

std::string safe_lines(const std::string& text) {
  std::string lines;
  for (std::size_t first = 0; first < text.size();) {
    const std::size_t end = std::min(text.find('\n', first), text.size());
    lines += safe(text.substr(first, end - first)) + "\n";
    first = end + 1;
  }
  return lines;
}

/// JSON text or number as it stands in a sentence.
std::string plain(const ordered_json& value) {
  return safe(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string size_text(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  if (size < 1e6) return fmt::format("{:.1f} kB", size / 1e3);
  return size < 1e9 ? fmt::format("{:.1f} MB", size / 1e6) : fmt::format("{:.2f} GB", size / 1e9);
}

std::string kind_text(const std::string& kind) {
  static const std::map<std::string, std::string> kTexts = {
      {"dataset", "dataset file"},
      {"model", "Keras model"},
      {"checkpoint", "Keras model with Lockstep's training state (checkpoint)"},
      {"network", "Keras network as JSON, without weights"},
      {"weights", "weights of a Keras model, without the model"},
      {"keras3_weights", "weights in Keras 3's form, without the model"}};
  return kTexts.at(kind);
}

std::string item(std::string_view name, std::string_view text) {
  return fmt::format("  {:<16} {}\n", name, text);
}

std::string labels_text(const ordered_json& entry) {
  if (!entry.contains("smallest")) return "";
  const std::string range = fmt::format("{} to {}", entry["smallest"].get<std::int64_t>(),
                                        entry["largest"].get<std::int64_t>());
  if (!entry.contains("class_counts")) return fmt::format("    values {}\n", range);
  const auto counts = entry["class_counts"].get<std::vector<std::int64_t>>();
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  std::string text = fmt::format("    labels {}, ", range);
  if (*least == *most) return text + fmt::format("{} of each\n", *least);
  if (counts.size() <= kCountsShown)
    return text + fmt::format("of each: {}\n", fmt::join(counts, ", "));
  return text + fmt::format("{} to {} of each\n", *least, *most);
}

std::string dataset_text(const ordered_json& entry, std::size_t width) {
  const std::string name = safe(entry["name"].get<std::string>());
  if (entry.contains("problem"))
    return fmt::format("  {:<{}}  cannot be used: {}\n", name, width, plain(entry["problem"]));
  std::string text = fmt::format("  {:<{}}  {:<20} {}", name, width,
                                 to_string(entry["shape"].get<Shape>()), plain(entry["type"]));
  if (entry["stored_type"] != entry["type"])
    text += fmt::format(" (stored as {})", plain(entry["stored_type"]));
  if (entry.contains("bytes")) text += ", " + size_text(entry["bytes"].get<std::int64_t>());
  text += "\n";
  if (entry.contains("chunk")) {
    text += fmt::format("    chunks {}", to_string(entry["chunk"].get<Shape>()));
    if (entry.contains("filters")) {
      text += fmt::format(", filters {}",
                          fmt::join(entry["filters"].get<std::vector<std::string>>(), ", "));
    }
    text += fmt::format(", {} on disk\n", size_text(entry["bytes_stored"].get<std::int64_t>()));
  }
  text += labels_text(entry);
  if (entry.contains("fields"))
    for (const ordered_json& field : entry["fields"])
      text += fmt::format("    .{:<20} {}\n", plain(field["name"]), plain(field["type"]));
  if (entry.contains("notes"))
    for (const ordered_json& note : entry["notes"]) text += fmt::format("    {}\n", plain(note));
  return text;
}

std::string weights_text(const ordered_json& report) {
  std::string text =
      item("weights", fmt::format("{} tensors, {} parameters", report["weights"].size(),
                                  report["parameters"].get<std::int64_t>()));
  for (const ordered_json& weight : report["weights"]) {
    text += fmt::format("    {:<30} {}\n", plain(weight["name"]),
                        to_string(weight["shape"].get<Shape>()));
  }
  return report.contains("weights_sha256")
             ? text + item("weights SHA-256", plain(report["weights_sha256"]))
             : text;
}

std::string compiled_text(const ordered_json& report) {
  if (!report.contains("compiled") || report.contains("not_trainable")) return "";
  if (!report["compiled"].get<bool>()) return item("compiled", "no: without optimizer and loss");
  std::string metrics;
  for (const ordered_json& metric : report["metrics"])
    metrics += (metrics.empty() ? "" : ", ") + plain(metric);
  return item("optimizer",
              fmt::format(
                  "{}, {} steps done, next learning rate {}, state {}",
                  plain(report["optimizer"]["class_name"]),
                  report["iterations"].get<std::int64_t>(), report["learning_rate"].get<double>(),
                  report["optimizer_state"].get<bool>() ? "in the file" : "not in the file")) +
         (report.contains("optimizer_sha256")
              ? item("optimizer SHA-256", plain(report["optimizer_sha256"]))
              : "") +
         item("loss", plain(report["loss"])) + item("metrics", metrics.empty() ? "none" : metrics);
}

std::string training_text(const ordered_json& report) {
  if (!report.contains("training_state")) return "";
  const ordered_json& state = report["training_state"];
  std::string text;
  for (const auto& [name, value] : state.items()) {
    if (!value.is_primitive()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", safe(name), plain(value));
  }
  return item("training state", text);
}

std::string mapping_text(const ordered_json& report) {
  return report.contains("rows_from") ? item("rows", "made of " + plain(report["rows_from"])) : "";
}

/// Of a network that Lockstep cannot make.
std::string layers_text(const ordered_json& layers) {
  std::string text = item("layers", std::to_string(layers.size()));
  for (const ordered_json& layer : layers) {
    text += fmt::format("    {:<40}",
                        fmt::format("{} ({})", plain(layer["name"]), plain(layer["class"])));
    if (layer.contains("parameters"))
      text += fmt::format(" {} parameters", layer["parameters"].get<std::int64_t>());
    text += "\n";
  }
  return text;
}

std::string model_text(const ordered_json& report) {
  std::string text;
  if (report.contains("keras_version")) {
    text += item("Keras version",
                 plain(report["keras_version"]) +
                     (report.contains("backend") ? ", backend " + plain(report["backend"]) : ""));
  }
  if (report.contains("trailer_matches")) {
    text += item("file SHA-256", report["trailer_matches"].get<bool>()
                                     ? "matches the trailer: the file is whole"
                                     : "not in the file (Lockstep's own files have a trailer)");
  }
  if (report.contains("weights")) text += weights_text(report);
  text += compiled_text(report) + training_text(report) + mapping_text(report);
  if (report.contains("notes"))
    for (const ordered_json& note : report["notes"]) text += item("note", plain(note));
  if (report.contains("not_trainable"))
    text += item("training", "cannot go on from it: " + plain(report["not_trainable"]));
  if (report.contains("layers") && !report.contains("summary"))
    text += layers_text(report["layers"]);
  if (report.contains("summary")) text += safe_lines(report["summary"].get<std::string>());
  return text;
}

}  // namespace

std::string inspection_text(const ordered_json& report) {
  std::string text = fmt::format("{}: {}, {}\n", safe(report["file"].get<std::string>()),
                                 kind_text(report["kind"].get<std::string>()),
                                 size_text(report["bytes"].get<std::int64_t>()));
  if (report.contains("weights") || report["kind"] == "network") return text + model_text(report);
  std::size_t width = 0;
  for (const ordered_json& entry : report["datasets"])
    width = std::max(width, safe(entry["name"].get<std::string>()).size());
  for (const ordered_json& entry : report["datasets"]) text += dataset_text(entry, width);
  return text + mapping_text(report);
}

}  // namespace lockstep
