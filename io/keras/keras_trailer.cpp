#include "io/keras/keras_trailer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/hash.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kMagic = "LOCKSTEP";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kTrailerBytes = kMagic.size() + kLengthBytes + kDigestBytes;

std::array<std::byte, kDigestBytes> digest_of(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.digest();
}

}  // namespace

void append_trailer(std::vector<std::byte>& image) {
  const auto length = static_cast<std::uint64_t>(image.size());
  const auto digest = digest_of(image);
  for (const char letter : kMagic) image.push_back(static_cast<std::byte>(letter));
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    image.push_back(static_cast<std::byte>((length >> (8 * i)) & 0xff));
  }
  image.insert(image.end(), digest.begin(), digest.end());
}

CheckedImage check_trailer(std::span<const std::byte> bytes, const std::string& file_name) {
  if (bytes.size() < kTrailerBytes) return {bytes, false};
  const std::span<const std::byte> trailer = bytes.last(kTrailerBytes);
  const bool has_magic = std::equal(
      kMagic.begin(), kMagic.end(), trailer.begin(),
      [](char letter, std::byte byte) { return static_cast<std::byte>(letter) == byte; });
  if (!has_magic) return {bytes, false};
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(trailer[kMagic.size() + i]) << (8 * i);
  }
  const std::span<const std::byte> image = bytes.first(bytes.size() - kTrailerBytes);
  check(length == image.size(), ExitCode::kBadData,
        "[{}] damaged: expected {} bytes in front of the trailer, got {}", file_name, length,
        image.size());
  const auto digest = digest_of(image);
  const std::span<const std::byte> written = trailer.last(kDigestBytes);
  check(std::equal(digest.begin(), digest.end(), written.begin()), ExitCode::kBadData,
        "[{}] damaged: expected SHA-256 {}, got {}", file_name, to_hex(written), to_hex(digest));
  return {image, true};
}

}  // namespace lockstep
