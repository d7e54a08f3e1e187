#include "io/keras/keras_archive.hpp"

#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "src/core/error.hpp"
#include "src/core/json_text.hpp"
#include "src/core/printable.hpp"
#include "src/model/model_json.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

struct EndError {
  zip_error_t error = {};
  EndError() { zip_error_init(&error); }
  ~EndError() { zip_error_fini(&error); }
};

Archive open_archive(std::span<const std::byte> bytes, const std::string& name) {
  EndError failure;
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &failure.error);
  zip_t* archive =
      source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &failure.error);
  if (archive == nullptr) {
    if (source != nullptr) zip_source_free(source);
    fail(ExitCode::kBadData,
         "[{}] damaged: expected a zip archive, got one of which libzip says: {}", name,
         zip_error_strerror(&failure.error));
  }
  return Archive(archive);
}

std::string member_names(zip_t* archive) {
  constexpr zip_int64_t kShown = 8;
  const zip_int64_t count = zip_get_num_entries(archive, 0);
  std::string names;
  for (zip_int64_t i = 0; i < std::min(count, kShown); ++i) {
    const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
    names += (i > 0 ? ", " : "") + printable(name == nullptr ? "?" : name, 80);
  }
  if (count > kShown) names += fmt::format(" and {} more", count - kShown);
  return names.empty() ? "nothing" : names;
}

bool has_member(zip_t* archive, const char* name) {
  return zip_name_locate(archive, name, 0) >= 0;
}

/// Text or bytes, which must begin with `signature`.
template <class Bytes>
Bytes read_member(zip_t* archive, const char* member, std::uint64_t most, const std::string& name,
                  std::string_view signature = "") {
  zip_stat_t status = {};
  const bool found = zip_stat(archive, member, 0, &status) == 0 && (status.valid & ZIP_STAT_SIZE);
  check(found, ExitCode::kBadData,
        "[{}] expected a model of Keras 3 with {} in it, got a zip archive of {}", name, member,
        member_names(archive));
  check(status.size <= most, ExitCode::kBadData, "[{}] expected at most {} bytes in {}, got {}",
        name, most, member, status.size);
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen(archive, member, 0));
  check(file != nullptr, ExitCode::kBadData, "[{}] cannot read {}: {}", name, member,
        zip_strerror(archive));
  Bytes bytes;
  // By parts: the size that an archive declares may be a lie.
  constexpr std::uint64_t kPart = std::uint64_t{16} << 20;
  while (bytes.size() < status.size) {
    const std::size_t done = bytes.size();
    const std::uint64_t wanted = done < signature.size() ? signature.size() - done : kPart;
    const std::uint64_t part = std::min<std::uint64_t>(wanted, status.size - done);
    bytes.resize(done + part);
    const zip_int64_t count = zip_fread(file.get(), bytes.data() + done, part);
    check(count > 0, ExitCode::kBadData, "[{}] damaged: expected {} bytes in {}, got {}", name,
          status.size, member, done);
    bytes.resize(done + static_cast<std::size_t>(count));
    const std::size_t known = std::min(bytes.size(), signature.size());
    check(std::memcmp(bytes.data(), signature.data(), known) == 0, ExitCode::kBadData,
          "[{}] damaged: expected an HDF5 file as {}, got other bytes", name, member);
  }
  char beyond = 0;  // reading to the end compares the checksum
  check(zip_fread(file.get(), &beyond, 1) == 0, ExitCode::kBadData,
        "[{}] damaged: {} does not match its checksum", name, member);
  return bytes;
}

std::string version_in(const std::string& metadata) {
  const auto json = parse_json(metadata, "metadata.json");
  if (!json.is_object()) return "";
  const auto version = json.find("keras_version");
  return version != json.end() && version->is_string() ? version->get<std::string>() : "";
}

/// More than any optimizer keeps of the network's parameters, what stateful layers carry, and
/// HDF5's own structures. Of a network that Lockstep cannot build: a fixed size.
std::uint64_t most_weights(const KerasArchive& model) {
  constexpr std::uint64_t kOfUnknown = std::uint64_t{4} << 30;
  constexpr std::uint64_t kOfNothing = std::uint64_t{16} << 20;
  constexpr std::uint64_t kOfParameter = 64;
  try {
    NetworkRemarks remarks;
    const Network network = model_from_json_text(model.config, model.keras_version, remarks);
    if (!network.built()) return kOfUnknown;
    std::uint64_t most =
        kOfNothing + kOfParameter * static_cast<std::uint64_t>(network.parameter_count());
    for (const auto& state : network.graph().states())
      most += sizeof(float) * static_cast<std::uint64_t>(network.batch_size() * state->columns());
    return most;
  } catch (const Error&) {  // its reader says what it is
    return kOfUnknown;
  }
}

struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Source = std::unique_ptr<zip_source_t, FreeSource>;

/// What came of a call of libzip while an archive is made.
void check_made(bool made, const char* what) {
  check(made, ExitCode::kInputOutput, "[memory] cannot make a zip archive: {}", what);
}

/// 1980-01-01 00:00, where the dates of zip archives begin.
constexpr zip_uint16_t kNoTime = 0, kFirstDate = (1 << 5) | 1;

void add_member(zip_t* archive, const char* name, std::span<const std::byte> bytes) {
  zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
  check_made(source != nullptr, zip_strerror(archive));
  const zip_int64_t number = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
  if (number < 0) zip_source_free(source);
  check_made(number >= 0, zip_strerror(archive));
  const auto member = static_cast<zip_uint64_t>(number);
  check_made(zip_set_file_compression(archive, member, ZIP_CM_STORE, 0) == 0 &&
                 zip_file_set_dostime(archive, member, kNoTime, kFirstDate, 0) == 0,
             zip_strerror(archive));
}

std::vector<std::byte> bytes_of(zip_source_t* source) {
  const auto reason = [&] { return zip_error_strerror(zip_source_error(source)); };
  zip_stat_t status = {};
  check_made(zip_source_open(source) == 0 && zip_source_stat(source, &status) == 0, reason());
  std::vector<std::byte> bytes(status.size);
  const zip_int64_t count = zip_source_read(source, bytes.data(), bytes.size());
  check_made(count == static_cast<zip_int64_t>(bytes.size()), reason());
  zip_source_close(source);
  return bytes;
}

}  // namespace

std::vector<std::byte> write_keras_archive(const KerasArchive& model) {
  const nlohmann::ordered_json metadata = {{"keras_version", model.keras_version},
                                           {"date_saved", "1980-01-01@00:00:00"}};
  const std::string text = metadata.dump();
  EndError failure;
  const Source source(zip_source_buffer_create(nullptr, 0, 0, &failure.error));
  check_made(source != nullptr, zip_error_strerror(&failure.error));
  Archive archive(zip_open_from_source(source.get(), ZIP_CREATE | ZIP_TRUNCATE, &failure.error));
  check_made(archive != nullptr, zip_error_strerror(&failure.error));
  zip_source_keep(source.get());  // the archive frees it, too
  add_member(archive.get(), "metadata.json", std::as_bytes(std::span(text)));
  add_member(archive.get(), "config.json", std::as_bytes(std::span(model.config)));
  add_member(archive.get(), "model.weights.h5", model.weights);
  check_made(zip_close(archive.get()) == 0, zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  return bytes_of(source.get());
}

KerasArchive read_keras_archive(std::span<const std::byte> bytes, const std::string& file_name) {
  const Archive archive = open_archive(bytes, file_name);
  KerasArchive model;
  model.config = read_member<std::string>(archive.get(), "config.json", kMaxJsonBytes, file_name);
  if (has_member(archive.get(), "metadata.json"))
    model.keras_version = version_in(
        read_member<std::string>(archive.get(), "metadata.json", kMaxJsonBytes, file_name));
  model.weights = read_member<std::vector<std::byte>>(
      archive.get(), "model.weights.h5", most_weights(model), file_name, kHdf5Signature);
  return model;
}

}  // namespace lockstep
