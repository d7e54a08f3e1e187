#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

/// A file that a command reads, and what for: "--data", "MODEL.h5".
struct InputFile {
  std::string option;
  std::filesystem::path path;
};

/// Whether both names lead to one file, through links and under other names; no if one is missing.
bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other);

/// That a new file can be put at `out`: before the work, not after it, and before anything is
/// touched. Throws Error: 73 one of the inputs, a file that is there without `overwrite`, a
/// directory, a device, no directory to put it in; 77 a directory that may not be written.
void check_output_file(const std::filesystem::path& out, bool overwrite,
                       const std::vector<InputFile>& inputs);

}  // namespace lockstep
