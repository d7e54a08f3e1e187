#include "io/keras/keras_archive.hpp"

#include <zip.h>

#include <nlohmann/json.hpp>

#include "src/model/layers_text.hpp"
#include "src/model/model_json.hpp"
#include "tests/io/io_test_support.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;
using test::bytes_of;
using test::expect_error;
using test::TemporaryDirectory;

constexpr ExitCode kBad = ExitCode::kBadData;
const std::string kSignature = "\x89HDF\r\n\x1a\n";

std::string config_of(const std::string& layers) {
  return model_to_json(model_from_layers_text(layers)).dump();
}

/// The bytes of an archive of the network's config and these weights, deflated.
std::string archive_of(const std::string& config, const std::string& weights) {
  const TemporaryDirectory directory;
  const std::string path = (directory / "m.keras").string();
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  zip_file_add(archive, "config.json", zip_source_buffer(archive, config.data(), config.size(), 0),
               0);
  zip_file_add(archive, "model.weights.h5",
               zip_source_buffer(archive, weights.data(), weights.size(), 0), 0);
  EXPECT_EQ(zip_close(archive), 0);
  return bytes_of(path);
}

KerasArchive read(const std::string& bytes) {
  return read_keras_archive(std::as_bytes(std::span(bytes)), "m.keras");
}

TEST(KerasArchive, HoldsNoMoreThanItsNetworkNeeds) {
  const std::string weights = kSignature + std::string(std::size_t{40} << 20, '\0');
  const std::string small = archive_of(config_of("Input((4,)), Dense(3)"), weights);
  EXPECT_LT(small.size(), std::size_t{1} << 20);
  expect_error(kBad, {"m.keras", "expected at most", "in model.weights.h5, got 41943048"},
               [&] { read(small); });
  const std::string large = config_of("Input((1000,)), Dense(1000)");
  EXPECT_EQ(read(archive_of(large, weights)).weights.size(), weights.size());
}

TEST(KerasArchive, HoldsAnHdf5File) {
  const std::string config = config_of("Input((4,)), Dense(3)");
  EXPECT_EQ(read(archive_of(config, kSignature)).weights.size(), kSignature.size());
  for (const std::string& weights : {std::string(1'000'000, '\0'), "text"s, kSignature.substr(1)})
    expect_error(kBad, {"m.keras", "expected an HDF5 file as model.weights.h5"},
                 [&] { read(archive_of(config, weights)); });
}

}  // namespace
}  // namespace lockstep
