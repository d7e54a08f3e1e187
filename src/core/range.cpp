#include "src/core/range.hpp"

namespace lockstep {

Range share(std::int64_t count, std::int64_t part, std::int64_t parts) {
  // floor(i * count / parts) without the product, which might not fit 64 bits.
  const auto cut = [&](std::int64_t i) {
    return i * (count / parts) + i * (count % parts) / parts;
  };
  return {cut(part), cut(part + 1)};
}

}  // namespace lockstep
