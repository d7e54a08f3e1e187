#include "src/core/memory.hpp"

#include <fmt/format.h>

#include "src/core/system_files.hpp"

namespace lockstep {

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string out_of_memory(const std::bad_alloc& error) {
  std::string text = "out of memory";
  if (dynamic_cast<const OutOfMemory*>(&error) != nullptr)
    text += fmt::format(": {}", error.what());
  return text + address_space_in_words();
}

}  // namespace lockstep
