#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep {

/// Messages sent.
struct Traffic {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;

  void count(std::size_t bytes_sent) {
    ++messages;
    bytes += static_cast<std::int64_t>(bytes_sent);
  }
};

}  // namespace lockstep
