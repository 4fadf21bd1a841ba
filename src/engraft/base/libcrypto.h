#pragma once

#include <openssl/evp.h>

#include "engraft/base/shared_library.h"

namespace engraft {

/// OpenSSL's libcrypto, loaded with the first digest.
inline constexpr SharedLibrary kLibCrypto{ENGRAFT_LIBCRYPTO};
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_DigestFinal_ex);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_DigestInit_ex);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_DigestUpdate);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_EncodeBlock);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_MD_CTX_free);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_MD_CTX_new);
ENGRAFT_LOADED_LATER(kLibCrypto, EVP_sha256);

}  // namespace engraft
