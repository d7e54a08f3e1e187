#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

class Directory;

/// Replaces `path` by these bytes so that a reader, also after a crash, finds the old file or the
/// new one, whole: temporary file in the same directory, write (pwrite64), fsync, close, rename,
/// fsync of the directory. Interrupted and short writes go on. After any failure the temporary file
/// is removed, nothing is published, and Error is thrown: 73 if the file cannot be created, 77
/// without permission, 74 for a full disk or a failing one. A symbolic link at `path` is replaced,
/// not followed.
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_atomically(const std::filesystem::path& path, std::string_view text);
/// The same for a file of this name in a directory that is held open.
void write_atomically(const Directory& directory, const std::string& name,
                      std::span<const std::byte> bytes);

/// The name of the file that a temporary file of this name was to become; none for a name that
/// write_atomically() does not give. What is left of a killed process may be told by it.
std::optional<std::string> target_of_temporary(std::string_view name);

/// The whole file. Throws Error: 66 missing or a directory, 77 no permission, 74 on a failing disk.
std::string read_file(const std::filesystem::path& path);

}  // namespace lockstep
