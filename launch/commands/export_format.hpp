#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/keras/keras_file.hpp"
#include "src/core/keras_major.hpp"

namespace lockstep {

/// What only one of the formats is asked for.
struct ExportOptions {
  std::optional<KerasMajor> keras;  ///< whose JSON
  std::string out;                  ///< the output file's name
};

/// The bytes of the file, and a text that goes with them if it is asked for.
struct Exported {
  std::vector<std::byte> bytes;
  std::string python = {};
};

/// One of `lockstep export --to`.
struct ExportFormat {
  const char* name;                  ///< "keras"
  std::vector<std::string> endings;  ///< of the output file: ".keras"
  Exported (*write)(const LoadedModel& model, const ExportOptions& options);
};

const std::vector<ExportFormat>& export_formats();

/// The format of `--to`, or if that is empty the one that the file's ending means. Throws Error
/// (64) for another word or ending.
const ExportFormat& export_format(const std::string& to, const std::filesystem::path& out);

}  // namespace lockstep
