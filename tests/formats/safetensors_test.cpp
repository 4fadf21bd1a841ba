#include "engraft/formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "engraft/base/hash.h"
#include "support/errors.h"
#include "support/random_values.h"
#include "support/test_data.h"

namespace engraft::safetensors_test {

using test::expect_error;
using test::random_values;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// One tensor of each type that is written, a scalar and an empty one.
SafetensorsFile small_file() {
  const std::vector<std::int64_t> signs{-1, std::numeric_limits<std::int64_t>::min()};
  const std::vector<std::uint64_t> seed{std::numeric_limits<std::uint64_t>::max()};
  const std::vector<double> rates{0.1, -1e300};
  const std::vector<float> weights{
      1, -0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::denorm_min(),
      5, 6};
  return {.metadata = {{"epoch", "3"},
                       {"umlaut",
                        "Stra\xC3\x9F"
                        "e \"quoted\"\n"}},
          .tensors = {{"a/signs", make_entry<std::int64_t>({2}, signs)},
                      {"b/seed", make_entry<std::uint64_t>({}, seed)},
                      {"c/rates", make_entry<double>({2, 1}, rates)},
                      {"d/weights", make_entry<float>({3, 2}, weights)},
                      {"e/nothing", make_entry<float>({4, 0}, {})}}};
}

std::string header_of(const Bytes& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return {reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(length)};
}

/// A file of any header and so many bytes of values.
Bytes raw_file(const std::string& header, std::size_t values) {
  Bytes bytes(8 + header.size() + values);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  for (std::size_t i = 0; i < values; ++i) {
    bytes[8 + header.size() + i] = static_cast<std::byte>(i);
  }
  return bytes;
}

template <typename Matcher>
void expect_damaged(const Bytes& bytes, const Matcher& message,
                    DigestRule rule = DigestRule::kIfPresent) {
  expect_error(ErrorKind::kBadInput,
               AllOf(StartsWith("x.st: damaged: "), message, Not(HasSubstr("\n"))),
               [&] { static_cast<void>(parse_safetensors(bytes, "x.st", rule)); });
}

void expect_damaged(const std::string& header, std::size_t values, const std::string& message) {
  SCOPED_TRACE(header);
  expect_damaged(raw_file(header, values), HasSubstr(message));
}

std::string f32(const std::string& shape, const std::string& offsets) {
  return R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, EveryBitComesBack) {
  const SafetensorsFile file = small_file();
  const SafetensorsFile back =
      parse_safetensors(safetensors_bytes(file), "x", DigestRule::kRequired);
  EXPECT_EQ(back, file);
  EXPECT_THAT(values_of<std::int64_t>(back.tensors.at("a/signs")),
              ElementsAre(-1, std::numeric_limits<std::int64_t>::min()));
  EXPECT_THAT(values_of<std::uint64_t>(back.tensors.at("b/seed")),
              ElementsAre(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_THAT(values_of<double>(back.tensors.at("c/rates")), ElementsAre(0.1, -1e300));
  const auto weights = values_of<float>(back.tensors.at("d/weights"));
  EXPECT_EQ(weights[0], 1);
  EXPECT_TRUE(std::signbit(weights[1]));
  EXPECT_TRUE(std::isnan(weights[2]));
  EXPECT_EQ(back.tensors.at("e/nothing").shape, (Shape{4, 0}));
}

TEST(Safetensors, NothingAtAllComesBack) {
  EXPECT_EQ(parse_safetensors(safetensors_bytes({}), "x", DigestRule::kRequired),
            SafetensorsFile{});
}

TEST(Safetensors, TensorsOfManySizesComeBack) {
  SafetensorsFile file;
  for (std::size_t i = 0; i < 100; ++i) {
    const Tensor tensor(Shape{static_cast<std::int64_t>(i)}, random_values(i, i));
    file.tensors["t" + std::to_string(i)] = make_entry(tensor);
  }
  const SafetensorsFile back = parse_safetensors(safetensors_bytes(file), "x");
  EXPECT_EQ(back, file);
  const Tensor tensor = to_tensor(back.tensors.at("t99"));
  EXPECT_EQ(tensor.shape(), Shape{99});
  EXPECT_EQ(std::vector<float>(tensor.values().begin(), tensor.values().end()),
            random_values(99, 99));
}

TEST(Safetensors, FilesAreWrittenAndReadByPath) {
  const TemporaryFolder folder;
  const auto path = folder / "new" / "checkpoint.safetensors";
  write_safetensors(path, small_file());
  EXPECT_EQ(read_safetensors(path, DigestRule::kRequired), small_file());
  EXPECT_EQ(read_file(path), safetensors_bytes(small_file()));
  write_safetensors(path, {});
  EXPECT_EQ(read_safetensors(path), SafetensorsFile{});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
}

TEST(Safetensors, HeaderIsSortedJsonPaddedWithSpacesToEightBytes) {
  for (std::size_t extra = 0; extra < 9; ++extra) {
    SafetensorsFile file = small_file();
    file.metadata["filler"] = std::string(extra, 'x');
    const Bytes bytes = safetensors_bytes(file);
    const std::string header = header_of(bytes);
    EXPECT_EQ(header.size() % 8, 0u);
    const auto json = nlohmann::json::parse(header);
    EXPECT_EQ(header.substr(0, header.find_last_not_of(' ') + 1), json.dump());
    EXPECT_EQ(json["d/weights"]["dtype"], "F32");
    EXPECT_EQ(json["d/weights"]["shape"], (nlohmann::json{3, 2}));
    EXPECT_EQ(json["__metadata__"]["epoch"], "3");
    // Wide values first: with a header of whole eights, every tensor is aligned to its type.
    for (const auto& [name, entry] : file.tensors) {
      const std::size_t begin = json[name]["data_offsets"][0];
      EXPECT_EQ(begin % size_of(entry.dtype), 0u) << name;
      EXPECT_EQ(0, entry.bytes.empty() ? 0
                                       : std::memcmp(bytes.data() + 8 + header.size() + begin,
                                                     entry.bytes.data(), entry.bytes.size()));
    }
  }
}

TEST(Safetensors, EqualContentsGiveEqualBytes) {
  EXPECT_EQ(safetensors_bytes(small_file()), safetensors_bytes(small_file()));
  const SafetensorsFile back = parse_safetensors(safetensors_bytes(small_file()), "x");
  EXPECT_EQ(safetensors_bytes(back), safetensors_bytes(small_file()));
}

TEST(Safetensors, DigestIsTheFilesOwnSha256WithZerosInItsPlace) {
  Bytes bytes = safetensors_bytes(small_file());
  const std::string digest =
      nlohmann::json::parse(header_of(bytes))["__metadata__"][std::string(kSafetensorsDigest)];
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.replace(text.find(digest), 64, 64, '0');
  EXPECT_EQ(sha256(std::as_bytes(std::span(text))).hex(), digest);
}

TEST(Safetensors, EveryTruncationIsNoticed) {
  const Bytes bytes = safetensors_bytes(small_file());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    SCOPED_TRACE(size);
    expect_damaged(cut, HasSubstr(""), DigestRule::kRequired);
    expect_damaged(cut, HasSubstr(""));
  }
  Bytes longer = bytes;
  longer.push_back({});
  expect_damaged(longer, HasSubstr(""), DigestRule::kRequired);
}

TEST(Safetensors, EveryFlippedBitIsNoticed) {
  Bytes bytes = safetensors_bytes(small_file());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(testing::Message() << "byte " << i << ", bit " << bit);
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      expect_damaged(bytes, HasSubstr(""), DigestRule::kRequired);
      bytes[i] ^= static_cast<std::byte>(1 << bit);
    }
  }
}

TEST(Safetensors, AFileWithoutADigestIsReadUnlessOneIsRequired) {
  const Bytes bytes = raw_file("{\"a\":" + f32("[2]", "[0,8]") + "}", 8);
  EXPECT_EQ(parse_safetensors(bytes, "x.st").tensors.at("a").bytes.size(), 8u);
  expect_damaged(bytes, HasSubstr("no digest"), DigestRule::kRequired);
}

TEST(Safetensors, FilesOfOtherProgramsAreRead) {
  // As the reference implementation writes them: metadata first, widest type first, its own spaces.
  const std::string header =
      R"({"__metadata__":{"format":"pt"}, "z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"data_offsets":[8,20],"dtype":"F32","shape":[3,1]},)"
      R"("b":{"dtype":"BOOL","shape":[1,2],"data_offsets":[20,22]}}  )";
  const SafetensorsFile file = parse_safetensors(raw_file(header, 22), "x");
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(values_of<std::int64_t>(file.tensors.at("z"))[0], 0x0706050403020100);
  EXPECT_EQ(file.tensors.at("a").shape, (Shape{3, 1}));
  EXPECT_EQ(file.tensors.at("b").dtype, DType::kBool);
}

TEST(Safetensors, EveryTypeKeepsItsNameAndSize) {
  for (int i = 0; i <= static_cast<int>(DType::kF64); ++i) {
    const auto dtype = static_cast<DType>(i);
    SafetensorsFile file;
    file.tensors["t"] = {dtype, {3}, Bytes(3 * size_of(dtype))};
    const Bytes bytes = safetensors_bytes(file);
    EXPECT_THAT(header_of(bytes), HasSubstr("\"" + std::string(name_of(dtype)) + "\""));
    EXPECT_EQ(parse_safetensors(bytes, "x"), file);
  }
}

TEST(Safetensors, HalfTypesAreWidenedExactly) {
  const std::vector<std::uint16_t> bits{0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001,
                                        0x8000, 0x7C00, 0xFC00, 0x7E00, 0x3555};
  const auto bytes = std::as_bytes(std::span(bits));
  const Tensor half = to_tensor({DType::kF16, {10}, {bytes.begin(), bytes.end()}});
  EXPECT_THAT(half.values().first(5), ElementsAre(1, -2, 65504, 0x1p-14f, 0x1p-24f));
  EXPECT_TRUE(half.data()[5] == 0 && std::signbit(half.data()[5]));
  EXPECT_EQ(half.data()[6], std::numeric_limits<float>::infinity());
  EXPECT_EQ(half.data()[7], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half.data()[8]));
  EXPECT_EQ(half.data()[9], 0.333251953125f);

  const std::vector<std::uint16_t> brain{0x3F80, 0xC000, 0x7F80, 0x0001, 0x7FC0};
  const auto brain_bytes = std::as_bytes(std::span(brain));
  const Tensor wide = to_tensor({DType::kBF16, {5}, {brain_bytes.begin(), brain_bytes.end()}});
  EXPECT_THAT(wide.values().first(4),
              ElementsAre(1, -2, std::numeric_limits<float>::infinity(), 0x1p-133f));
  EXPECT_TRUE(std::isnan(wide.data()[4]));
}

TEST(Safetensors, ValuesOfAnotherTypeAreRefused) {
  const SafetensorsFile file = small_file();
  expect_error(ErrorKind::kBadInput, HasSubstr("I64, F32 is needed"),
               [&] { static_cast<void>(values_of<float>(file.tensors.at("a/signs"))); });
  expect_error(ErrorKind::kUnsupported, HasSubstr("F64"),
               [&] { static_cast<void>(to_tensor(file.tensors.at("c/rates"))); });
  expect_error(ErrorKind::kUsage, HasSubstr("[4]"), [] {
    static_cast<void>(to_tensor({DType::kF32, {4}, Bytes(15)}));
  });
  expect_error(ErrorKind::kUsage, HasSubstr("2 values for a tensor of [3]"), [] {
    static_cast<void>(make_entry<float>({3}, std::vector<float>{1, 2}));
  });
}

TEST(SafetensorsHostile, LengthsBeyondTheFileAndTheLimitAreDamage) {
  Bytes bytes = raw_file("{}", 0);
  const auto with_length = [&](std::uint64_t length) {
    std::memcpy(bytes.data(), &length, 8);
    return bytes;
  };
  EXPECT_EQ(parse_safetensors(with_length(2), "x"), SafetensorsFile{});
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{100'000'000}}) {
    expect_damaged(with_length(length), HasSubstr("ends behind the file's end"));
  }
  for (const std::uint64_t length :
       {std::uint64_t{100'000'001}, std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    expect_damaged(with_length(length), HasSubstr("larger than 100 MB"));
  }
  expect_damaged(with_length(0), HasSubstr("no safetensors header"));
  expect_damaged(with_length(1), HasSubstr("not JSON"));
}

TEST(SafetensorsHostile, OverlapsHolesAndPlacesOutsideAreDamage) {
  const auto two = [](const std::string& a, const std::string& b) {
    return "{\"a\":" + f32("[2]", a) + ",\"b\":" + f32("[2]", b) + "}";
  };
  EXPECT_EQ(parse_safetensors(raw_file(two("[8,16]", "[0,8]"), 16), "x").tensors.size(), 2u);
  expect_damaged(two("[0,8]", "[4,12]"), 12, "begins at 4");
  expect_damaged(two("[0,8]", "[0,8]"), 8, "begins at 0");
  expect_damaged(two("[0,8]", "[12,20]"), 20, "begins at 12");
  expect_damaged(two("[4,12]", "[12,20]"), 20, "begins at 4");
  expect_damaged(two("[0,8]", "[8,16]"), 20, "need 16 bytes, but 20");
  expect_damaged(two("[0,8]", "[8,16]"), 15, "lies at 8 to 16 of 15 bytes");
  expect_damaged(two("[0,8]", "[8,18446744073709551615]"), 16, "lies at 8");
  expect_damaged(two("[8,0]", "[8,16]"), 16, "lies at 8 to 0");
}

TEST(SafetensorsHostile, SizesThatDoNotFitTheShapeAreDamage) {
  const auto one = [](const std::string& shape) { return "{\"a\":" + f32(shape, "[0,8]") + "}"; };
  for (const char* shape :
       {"[3]", "[]", "[0]", "[2,0]", "[4294967296,4294967296]", "[9223372036854775809,2]",
        "[18446744073709551615]", "[4611686018427387906]", "[281474976710656,281474976710656,0]"}) {
    expect_damaged(one(shape), 8, "has 8 bytes");
  }
  EXPECT_EQ(parse_safetensors(raw_file(one("[1,2,1]"), 8), "x").tensors.size(), 1u);
  std::string axes = "[2";
  for (int i = 1; i < 16; ++i) axes += ",1";
  EXPECT_EQ(parse_safetensors(raw_file(one(axes + "]"), 8), "x").tensors.size(), 1u);
  expect_damaged(one(axes + ",1]"), 8, "more than 16 axes");
}

TEST(SafetensorsHostile, NamesThatOccurTwiceAreDamage) {
  const std::string tensor = f32("[]", "[0,4]");
  expect_damaged("{\"a\":" + tensor + ",\"a\":" + tensor + "}", 4, "tensor a is there twice");
  expect_damaged("{\"a\":" + tensor + ",\"\\u0061\":" + tensor + "}", 4, "tensor a is there twice");
  expect_damaged(R"({"__metadata__":{"k":"1","k":"2"}})", 0, "metadata k is there twice");
  expect_damaged(R"({"__metadata__":{},"__metadata__":{}})", 0, "metadata is there twice");
  expect_damaged(R"({"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4,
                 "does not know about a");
  expect_damaged(R"({"a":{"dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4]}})", 4,
                 "does not know about a");
  expect_damaged(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"data_offsets":[0,4]}})", 4,
                 "does not know about a");
}

TEST(SafetensorsHostile, HeadersOfAnotherFormAreDamage) {
  for (const char* header :
       {"",
        " {}",
        "[]",
        "3",
        "null",
        "{",
        "{}}",
        "{} x",
        "{\"a\":}",
        "{'a':1}",
        "{\"a\":1}",
        "{\"a\":null}",
        "{\"a\":[]}",
        "{\"a\":\"b\"}",
        "{\"a\":{}}",
        "{\"a\":true}",
        R"({"a":{"dtype":"F32","shape":[]}})",
        R"({"a":{"dtype":"F32","data_offsets":[0,4]}})",
        R"({"a":{"shape":[],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4.0]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,1e400]}})",
        R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[{}],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})",
        R"({"a":{"dtype":7,"shape":[],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":"text"}})",
        R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":{}}})",
        R"({"__metadata__":{"k":1}})",
        R"({"__metadata__":{"k":{}}})",
        R"({"__metadata__":{"k":["x"]}})",
        R"({"__metadata__":[]})",
        R"({"__metadata__":"x"})",
        "{\"\xFF\":{}}"}) {
    expect_damaged(header, 4, "");
  }
  expect_damaged(std::string("{}\0\0", 4), 0, "no safetensors header");
}

TEST(SafetensorsHostile, DeepNestingAndEndlessListsStopEarly) {
  expect_damaged("{\"a\":" + std::string(10'000'000, '['), 0, "does not know about a");
  std::string objects = "{";
  for (int i = 0; i < 100'000; ++i) objects += "\"a\":{";
  expect_damaged(objects, 0, "nested");
  std::string axes = "{\"a\":{\"shape\":[1";
  for (int i = 0; i < 1'000'000; ++i) axes += ",1";
  expect_damaged(axes, 0, "more than 16 axes");
  std::string strings = "{\"__metadata__\":{";
  std::string tensors = "{";
  for (int i = 0; i < 70'000; ++i) {
    strings += "\"" + std::to_string(i) + "\":\"\",";
    tensors += "\"" + std::to_string(i) + "\":" + f32("[0]", "[0,0]") + ",";
  }
  expect_damaged(strings, 0, "too many strings");
  expect_damaged(tensors, 0, "too many tensors");
}

TEST(SafetensorsHostile, TypesThatAreNotReadAreNamed) {
  for (const char* type : {"F8_E4M3", "F8_E5M2", "C64", "f32", ""}) {
    const std::string header =
        std::string(R"({"a":{"dtype":")") + type + R"(","shape":[4],"data_offsets":[0,4]}})";
    expect_error(ErrorKind::kUnsupported,
                 AllOf(StartsWith("x.st: "), HasSubstr("type " + std::string(type))),
                 [&] { static_cast<void>(parse_safetensors(raw_file(header, 4), "x.st")); });
  }
}

TEST(SafetensorsHostile, NamesWithControlCharactersDoNotBreakTheMessage) {
  expect_damaged("{\"a\\nb\\u001b\":" + f32("[2]", "[0,4]") + "}", 4, "a?b?");
}

TEST(SafetensorsHostile, AForeignDigestIsDamage) {
  for (const char* digest : {"", "0000", "zzzz"}) {
    expect_damaged(std::string(R"({"__metadata__":{"engraft.sha256":")") + digest + "\"}}", 0,
                   "digest");
  }
  expect_damaged(R"({"__metadata__":{"engraft.sha256":")" + std::string(64, '0') + "\"}}", 0,
                 "not that of its contents");
}

TEST(SafetensorsErrors, FilesThatAreNotThereBeginWithTheirPath) {
  const TemporaryFolder folder;
  const auto path = folder / "none.safetensors";
  expect_error(ErrorKind::kNotFound, StartsWith(path.string() + ": "),
               [&] { static_cast<void>(read_safetensors(path)); });
  std::ofstream(path) << "short";
  expect_error(ErrorKind::kBadInput, StartsWith(path.string() + ": damaged: "),
               [&] { static_cast<void>(read_safetensors(path)); });
}

TEST(SafetensorsErrors, WhatCannotBeWrittenLeavesTheEarlierFileAlone) {
  const TemporaryFolder folder;
  const auto path = folder / "c.safetensors";
  write_safetensors(path, small_file());
  const auto expect_refusal = [&](const SafetensorsFile& file, const std::string& message) {
    expect_error(ErrorKind::kUsage, AllOf(StartsWith(path.string() + ": "), HasSubstr(message)),
                 [&] { write_safetensors(path, file); });
    EXPECT_EQ(read_safetensors(path), small_file());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  };
  const SafetensorsEntry entry = make_entry<float>({1}, std::vector<float>{1});
  expect_refusal({.tensors = {{"t", {DType::kF32, {2}, Bytes(7)}}}}, "t F32 [2] has 7 bytes");
  expect_refusal({.tensors = {{"t", {DType::kF32, {-1, -2}, Bytes(8)}}}}, "has 8 bytes");
  expect_refusal(
      {.tensors = {{"t", {DType::kU8, Shape(std::vector<std::int64_t>(17, 1)), Bytes(1)}}}},
      "has 1 bytes");
  expect_refusal({.tensors = {{"__metadata__", entry}}}, "__metadata__");
  expect_refusal({.tensors = {{"\xC3\x28", entry}}}, "not UTF-8");
  expect_refusal({.metadata = {{"k", "\xFF"}}}, "not UTF-8");
  expect_refusal({.metadata = {{"engraft.sha256", ""}}}, "engraft.sha256");
}

TEST(SafetensorsErrors, AFolderThatCannotBeWrittenToIsIo) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  expect_error(ErrorKind::kIo, StartsWith(folder.path().string()),
               [&] { write_safetensors(folder / "file" / "c.safetensors", small_file()); });
}

}  // namespace engraft::safetensors_test
