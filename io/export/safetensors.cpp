#include "io/export/safetensors.hpp"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little);

std::size_t size_of(const NamedTensor& entry) {
  return entry.is_count ? sizeof(std::int64_t) : entry.tensor.values.size() * sizeof(float);
}

}  // namespace

std::vector<std::byte> safetensors(const std::vector<NamedTensor>& tensors) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}, {kExportMark, "1"}}}};
  std::size_t end = 0;
  for (const NamedTensor& entry : tensors) {
    const std::size_t begin = end;
    end += size_of(entry);
    header[entry.name] = {{"dtype", entry.is_count ? "I64" : "F32"},
                          {"shape", entry.tensor.shape},
                          {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::vector<std::byte> bytes(sizeof(length) + text.size() + end);
  std::byte* to = bytes.data();
  const auto append = [&](const void* from, std::size_t count) {
    if (count > 0) std::memcpy(to, from, count);
    to += count;
  };
  append(&length, sizeof(length));
  append(text.data(), text.size());
  for (const NamedTensor& entry : tensors) {
    if (entry.is_count) {
      const auto count = static_cast<std::int64_t>(entry.tensor.values.front());
      append(&count, sizeof(count));
    } else {
      append(entry.tensor.values.data(), size_of(entry));
    }
  }
  return bytes;
}

}  // namespace lockstep
