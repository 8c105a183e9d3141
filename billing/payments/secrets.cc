#include "billing/payments/secrets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "plugin/base/text.h"

namespace payg::billing {

std::string random_name() {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  return to_hex(bytes.data(), bytes.size());
}

std::string new_token() {
  return "payg-" + random_name();
}

TokenHash hash_token(std::string_view token) {
  TokenHash hash;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return hash;
}

bool equal_in_constant_time(const TokenHash& a, const TokenHash& b) noexcept {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string sha256_hex(std::string_view text) {
  const TokenHash hash = hash_token(text);
  return to_hex(hash.data(), hash.size());
}

}  // namespace payg::billing
