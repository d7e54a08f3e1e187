#include "launch/commands/export_format.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/export/onnx_export.hpp"
#include "io/export/torch_export.hpp"
#include "src/core/error.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Everything but how the run stood that trained it.
std::vector<std::byte> model_bytes(const LoadedModel& loaded, ModelFormat format) {
  const bool with_slots = loaded.model.compiled() && loaded.slots;
  return model_file(loaded.model, with_slots ? &*loaded.slots : nullptr, "", loaded.table_mapping,
                    loaded.classes, format);
}

Exported to_keras(const LoadedModel& loaded, const ExportOptions&) {
  return {model_bytes(loaded, ModelFormat::kKeras)};
}

Exported to_hdf5(const LoadedModel& loaded, const ExportOptions&) {
  return {model_bytes(loaded, ModelFormat::kHdf5)};
}

Exported to_json(const LoadedModel& loaded, const ExportOptions& options) {
  return {
      bytes_of(model_to_json(loaded.model, options.keras.value_or(KerasMajor::k2)).dump(2) + "\n")};
}

Exported to_safetensors(const LoadedModel& loaded, const ExportOptions& options) {
  TorchExport torch = export_to_torch(loaded.model, options.out);
  return {std::move(torch.state_dict), std::move(torch.python)};
}

Exported to_onnx(const LoadedModel& loaded, const ExportOptions&) {
  return {export_to_onnx(loaded.model)};
}

}  // namespace

const std::vector<ExportFormat>& export_formats() {
  static const std::vector<ExportFormat> formats = {
      {"keras", {".keras"}, to_keras}, {"h5", {".h5", ".hdf5"}, to_hdf5},
      {"json", {".json"}, to_json},    {"safetensors", {".safetensors"}, to_safetensors},
      {"onnx", {".onnx"}, to_onnx},
  };
  return formats;
}

const ExportFormat& export_format(const std::string& to, const std::filesystem::path& out) {
  const std::string ending = out.extension().string();
  std::vector<std::string> names, endings;
  for (const ExportFormat& format : export_formats()) {
    names.emplace_back(format.name);
    endings.insert(endings.end(), format.endings.begin(), format.endings.end());
    const bool fits = std::ranges::find(format.endings, ending) != format.endings.end();
    if (to.empty() && fits) return format;
    if (to != format.name) continue;
    check(fits, ExitCode::kUsage,
          "[options] --out: expected a name that ends in {} for --to {}, got {}",
          fmt::join(format.endings, " or "), to, printable(out.string()));
    return format;
  }
  check(to.empty(), ExitCode::kUsage, "[options] --to: expected {}, got '{}'{}",
        fmt::join(names, ", "), printable(to), did_you_mean(to, names));
  fail(ExitCode::kUsage, "[options] --out: expected a name that ends in {}, got {}",
       fmt::join(endings, ", "), printable(out.string()));
}

}  // namespace lockstep
