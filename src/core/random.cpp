#include "src/core/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

#include "src/core/elementary.hpp"
#include "src/core/error.hpp"

namespace lockstep {
namespace {

__extension__ typedef unsigned __int128 Uint128;

std::uint32_t low_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}

std::uint32_t high_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t major,
                           std::uint32_t minor)
    : key_{low_half(seed), high_half(seed)},
      major_(major),
      tag_(static_cast<std::uint32_t>(purpose) << 24 | minor) {
  check(minor < 1u << 24, ExitCode::kBadData, "[random] expected a minor below 2^24, got {}",
        minor);
}

std::array<std::uint32_t, 4> RandomStream::words(std::uint64_t index) const {
  const r123::Philox4x32 philox;
  const auto words =
      philox({{low_half(index), high_half(index), major_, tag_}}, {{key_[0], key_[1]}});
  return {words[0], words[1], words[2], words[3]};
}

float RandomStream::uniform(std::uint64_t index) const {
  return static_cast<float>(words(index / 4)[index % 4] >> 8) * 0x1p-24f;
}

double RandomStream::normal(std::uint64_t index) const {
  const std::array<std::uint32_t, 4> four = words(index / 2);
  const std::size_t first = 2 * (index % 2);
  const double u = (four[first] + 1.0) * 0x1p-32;  // in (0, 1]
  const double turn = four[first + 1] * 0x1p-32;   // in [0, 1)
  return std::sqrt(-2.0 * elementary::log(u)) * elementary::cos(2.0 * std::numbers::pi * turn);
}

std::uint64_t RandomStream::below(std::uint64_t bound, std::uint64_t index) const {
  const std::array<std::uint32_t, 4> four = words(index / 2);
  const std::size_t first = 2 * (index % 2);
  const std::uint64_t word = std::uint64_t{four[first + 1]} << 32 | four[first];
  return static_cast<std::uint64_t>(Uint128{word} * bound >> 64);
}

}  // namespace lockstep
