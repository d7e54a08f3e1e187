#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "io/files/file_kind.hpp"

namespace lockstep {

/// Bytes by which a kind is known.
struct FileMagic {
  FileKind kind;
  std::size_t offset;
  std::string_view bytes;
};
std::span<const FileMagic> file_magics();

/// What a kind is called, and what to do with such a file: FILE is its name, NEW its name without
/// the ending.
struct FileKindText {
  FileKind kind;
  std::string_view what;
  std::string_view for_data;
  std::string_view for_model;
};
const FileKindText& file_kind_text(FileKind kind);

}  // namespace lockstep
