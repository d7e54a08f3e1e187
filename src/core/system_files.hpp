#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lockstep {

// What Linux tells in /proc and /sys.

/// The text behind "key ... : " in a file of lines; empty if there is none.
std::string value_in(const std::filesystem::path& file, const std::string& key);
/// The number that a text begins with ("23669 kB", "max").
std::optional<std::int64_t> leading_number(const std::string& text);

/// Bytes that this process may still take: what the system has available, or the container's or
/// job's limit (cgroup) if that is less. None where the system does not tell.
std::optional<std::int64_t> available_memory();
/// "; this process has 310.2 MiB of the 351.6 MiB that ulimit -v allows", for messages; less where
/// the system does not tell.
std::string address_space_in_words();
/// Bytes of memory that this process takes, shared ones in parts; 0 where the system does not tell.
std::int64_t resident_memory();

}  // namespace lockstep
