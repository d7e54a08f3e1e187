#include "launch/migrate/config_text.hpp"

#include <fmt/format.h>

#include "launch/cli/config_file.hpp"
#include "launch/train/train_compile.hpp"
#include "src/core/printable.hpp"
#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "src/optimizers/make_optimizer.hpp"

namespace lockstep {
namespace {

std::string data_comment(const MigratedRun& run, const std::string& script) {
  if (!run.import.empty()) return fmt::format("#   {}\n", run.import);
  if (run.arrays.empty()) return "";
  std::string text = fmt::format(
      "# {} makes the rows. With these lines in front of its line {}, it writes them:\n#\n"
      "#     import h5py\n#     with h5py.File(\"{}\", \"w\") as file:\n",
      printable(script), run.line, printable(run.data));
  for (const auto& [name, expression] : run.arrays)
    text += fmt::format("#         file[\"{}\"] = {}\n", name, printable(expression));
  return text + "#     raise SystemExit\n#\n";
}

}  // namespace

std::string config_text(const MigratedRun& run, const std::string& script,
                        const std::string& config, const std::string& model,
                        const std::vector<std::string>& notes) {
  std::string text = fmt::format("# What {} trains in line {}, by lockstep migrate.\n#\n",
                                 printable(script), run.line);
  text += data_comment(run, script);
  text += fmt::format("#   mpirun -n 2 lockstep train {}\n", printable(config));
  if (!notes.empty()) text += "#\n";
  for (const std::string& note : notes) text += fmt::format("# Note: {}.\n", printable(note));
  text += "\n";
  bool blank = true;
  for (const auto& [key, value] : run.settings) {
    if (key.empty()) {
      if (!blank) text += "\n";
      blank = true;
      continue;
    }
    text += config_line(key, key == "model" ? model : value);
    blank = false;
  }
  return text;
}

void check_config(const MigratedRun& run, const std::string& text, const std::string& config) {
  const TrainSettings settings = train_settings_from_config(text, config);
  check_together(settings);
  const nlohmann::ordered_json none;
  if (!settings.from.empty()) return;
  Network model = settings.layers.empty() ? model_from_json_text(run.model_json)
                                          : model_from_layers_text(settings.layers);
  make_optimizer(optimizer_json(settings, none));
  if (model.built()) compile_by(settings, none, model);
}

}  // namespace lockstep
