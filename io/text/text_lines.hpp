#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

/// A text file, gzipped or plain (see TextSource), lines ending in LF. Throws Error: 66, 77, 74; 65
/// for what is no text, or not UTF-8, with the line and the byte in it.
std::string read_text(const std::filesystem::path& path);

/// The lines of a text file that are not blank.
struct TextLines {
  std::vector<std::string> texts;
  std::vector<std::int64_t> lines;  ///< of each in the file, from 1
};
/// Throws Error as read_text(), and 65 if all are blank.
TextLines read_text_lines(const std::filesystem::path& path);

}  // namespace lockstep
