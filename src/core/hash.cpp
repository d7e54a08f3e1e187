#include "src/core/hash.hpp"

#include <openssl/evp.h>
#include <xxhash.h>

#include "src/core/error.hpp"

namespace lockstep {
namespace {

EVP_MD_CTX* openssl(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

void check_openssl(int result, const char* call) {
  check(result == 1, ExitCode::kInputOutput, "[sha256] expected OpenSSL's {} to succeed, got {}",
        call, result);
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  check(context_ != nullptr, ExitCode::kInputOutput,
        "[sha256] expected memory for OpenSSL's context, got none");
  const int result = EVP_DigestInit_ex(openssl(context_), EVP_sha256(), nullptr);
  if (result != 1) EVP_MD_CTX_free(openssl(context_));
  check_openssl(result, "EVP_DigestInit_ex");
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(openssl(context_));
}

void Sha256::add(std::span<const std::byte> bytes) {
  check_openssl(EVP_DigestUpdate(openssl(context_), bytes.data(), bytes.size()),
                "EVP_DigestUpdate");
}

std::array<std::byte, 32> Sha256::digest() {
  std::array<std::byte, 32> result;
  check_openssl(EVP_DigestFinal_ex(openssl(context_),
                                   reinterpret_cast<unsigned char*>(result.data()), nullptr),
                "EVP_DigestFinal_ex");
  return result;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    const unsigned value = std::to_integer<unsigned>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

std::array<std::uint64_t, 2> fast_hash(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

}  // namespace lockstep
