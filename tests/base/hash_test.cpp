#include "engraft/base/hash.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace engraft::hash_test {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The examples of FIPS 180-2, appendix B, and the digest of nothing.
TEST(Sha256, AgreesWithThePublishedVectors) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(bytes(std::string(1'000'000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotCareHowTheBytesArrive) {
  const std::string text(1000, 'q');
  for (const std::size_t piece : {1u, 3u, 63u, 64u, 65u, 999u}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      hash.update(std::string_view(text).substr(at, piece));
    }
    EXPECT_EQ(hash.finish(), sha256(bytes(text))) << piece;
  }
}

TEST(Sha256, MovesWithItsState) {
  Sha256 hash;
  hash.update("ab");
  Sha256 moved = std::move(hash);
  moved.update("c");
  EXPECT_EQ(moved.finish(), sha256(bytes("abc")));
}

TEST(Digest, OrdersAndCompares) {
  Digest a, b;
  b.bytes[31] = 1;
  EXPECT_NE(a, b);
  EXPECT_LT(a, b);
  EXPECT_EQ(b.hex(), std::string(63, '0') + "1");
}

TEST(Digest, LeadingBitsAreTheFirstEightBytesHighestFirst) {
  EXPECT_EQ(sha256(bytes("abc")).leading_bits(), 0xba7816bf8f01cfeau);
  Digest digest;
  digest.bytes[8] = 255;
  EXPECT_EQ(digest.leading_bits(), 0u);
  digest.bytes[7] = 1;
  EXPECT_EQ(digest.leading_bits(), 1u);
  digest.bytes[0] = 128;
  EXPECT_EQ(digest.leading_bits(), (std::uint64_t{1} << 63) + 1);
}

// RFC 4648, section 10.
TEST(Base64, AgreesWithThePublishedVectors) {
  EXPECT_EQ(base64(bytes("")), "");
  EXPECT_EQ(base64(bytes("f")), "Zg==");
  EXPECT_EQ(base64(bytes("fo")), "Zm8=");
  EXPECT_EQ(base64(bytes("foo")), "Zm9v");
  EXPECT_EQ(base64(bytes("foob")), "Zm9vYg==");
  EXPECT_EQ(base64(bytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(base64(bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64(bytes("\xFB\xFF\xFE")), "+//+");
}

TEST(Base64, LongTextsHavePaddingAtTheEndOnly) {
  for (const std::size_t size : {(3u << 20) - 1, 3u << 20, (3u << 20) + 1, (6u << 20) + 2}) {
    const std::string text = base64(bytes(std::string(size, 'A')));
    ASSERT_EQ(text.size(), 4 * ((size + 2) / 3));
    // "AAA" is "QUFB", "A" is "QQ==" and "AA" is "QUE=".
    const std::string end = size % 3 == 0 ? "QUFB" : size % 3 == 1 ? "QQ==" : "QUE=";
    EXPECT_EQ(text.substr(text.size() - 4), end);
    EXPECT_GE(text.find_first_not_of("QUFB"), text.size() - 2) << size;
  }
}

}  // namespace engraft::hash_test
