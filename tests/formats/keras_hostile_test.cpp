#include <gmock/gmock.h>

#include "engraft/base/file.h"
#include "engraft/base/rng.h"
#include "engraft/formats/keras_config.h"
#include "engraft/formats/keras_h5.h"
#include "h5_writer.h"
#include "keras_writer.h"
#include "networks.h"
#include "support/errors.h"
#include "support/test_data.h"

namespace engraft::keras_hostile_test {

using test::H5Writer;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

void read(const std::filesystem::path& path) {
  static_cast<void>(read_keras_h5(path));
}

TEST(HostileKerasFile, ADatasetLargerThanTheFileIsRefusedBeforeMemoryIsTaken) {
  const TemporaryFolder folder;
  for (const std::vector<hsize_t>& extents :
       {std::vector<hsize_t>{1u << 20}, std::vector<hsize_t>{1u << 30, 1u << 30, 1u << 30},
        std::vector<hsize_t>{hsize_t{1} << 40}}) {
    {
      H5Writer out(folder / "h.h5");
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      const std::vector<hsize_t> chunk(extents.size(), 4);
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      out.dataset({.path = "l/kernel:0", .extents = extents, .creation = creation}, {});
      H5Pclose(creation);
    }
    test::expect_error(ErrorKind::kBadInput, AllOf(HasSubstr("h.h5"), HasSubstr("l/kernel")),
                       [&] { read(folder / "h.h5"); });
  }
}

TEST(HostileKerasFile, ManyLinksToOneDatasetDoNotMultiplyMemory) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    out.dataset({.path = "l/kernel:0", .extents = {1000}}, std::vector<float>(1000, 1));
    for (int i = 0; i < 50; ++i) {
      H5Lcreate_hard(out.file(), "l/kernel:0", out.file(), ("l/copy" + std::to_string(i)).c_str(),
                     H5P_DEFAULT, H5P_DEFAULT);
    }
  }
  test::expect_error(ErrorKind::kBadInput, HasSubstr("larger than the file can hold"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, ADeflatedDatasetIsBoundByWhatDeflateCanDo) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 1 << 20;
    H5Pset_chunk(creation, 1, &chunk);
    H5Pset_deflate(creation, 9);
    out.dataset({.path = "l/kernel:0", .extents = {hsize_t{1} << 29}, .creation = creation}, {});
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kBadInput, HasSubstr("larger than the file can hold"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, DeflatedTwiceIsRefused) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 16;
    H5Pset_chunk(creation, 1, &chunk);
    H5Pset_deflate(creation, 9);
    H5Pset_deflate(creation, 9);
    out.dataset({.path = "l/kernel:0", .extents = {16}, .creation = creation}, {});
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("deflated twice"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, AHugeChunkIsRefused) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 1 << 29;
    H5Pset_chunk(creation, 1, &chunk);
    const hsize_t extent = 4, most = H5S_UNLIMITED;
    const hid_t space = H5Screate_simple(1, &extent, &most);
    H5Dclose(H5Writer::need(H5Dcreate2(out.file(), "l/kernel:0", H5T_IEEE_F32LE, space, out.links(),
                                       creation, H5P_DEFAULT)));
    H5Sclose(space);
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kBadInput, HasSubstr("chunks"), [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, StorageInAnotherFileIsRefused) {
  const TemporaryFolder folder;
  test::write_bytes(folder / "secret.bin", std::string(64, 's'));
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, (folder / "secret.bin").c_str(), 0, 64);
    out.dataset({.path = "l/kernel:0", .extents = {16}, .creation = creation}, {});
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("another file"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, AVirtualDatasetIsRefused) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t extent = 16;
    const hid_t space = H5Screate_simple(1, &extent, nullptr);
    H5Pset_virtual(creation, space, "other.h5", "/secret", space);
    out.dataset({.path = "l/kernel:0", .extents = {16}, .creation = creation}, {});
    H5Sclose(space);
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("another file"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, LinksOutOfTheFileAreNotFollowed) {
  const TemporaryFolder folder;
  {
    H5Writer secret(folder / "secret.h5");
    secret.dataset({.path = "s/kernel:0", .extents = {1}}, std::vector<float>{42});
  }
  {
    H5Writer out(folder / "h.h5");
    out.dataset({.path = "l/kernel:0", .extents = {1}}, std::vector<float>{1});
    H5Lcreate_external((folder / "secret.h5").c_str(), "/s", out.file(), "s", H5P_DEFAULT,
                       H5P_DEFAULT);
    H5Lcreate_external((folder / "secret.h5").c_str(), "/s", out.file(), "model_weights",
                       H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/l", out.file(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", out.file(), "dangling", H5P_DEFAULT, H5P_DEFAULT);
  }
  try {
    const auto weights = read_keras_h5(folder / "h.h5");
    EXPECT_EQ(weights.size(), 1u);
    EXPECT_FALSE(weights.contains("s/kernel"));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);  // model_weights leads out: refusing is as good
  }
}

TEST(HostileKerasFile, AFilterThatWouldBeLoadedIsRefused) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 4;
    H5Pset_chunk(creation, 1, &chunk);
    H5Pset_filter(creation, 32015, H5Z_FLAG_OPTIONAL, 0, nullptr);  // zstd's registered number
    out.dataset({.path = "l/kernel:0", .extents = {16}, .creation = creation}, {});
    H5Pclose(creation);
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("filter 32015"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, GroupsInCirclesEnd) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    out.group("a/b");
    H5Lcreate_hard(out.file(), "a", out.file(), "a/b/a", H5P_DEFAULT, H5P_DEFAULT);
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("nested deeper"),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, GroupsThatMultiplyEnd) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    out.group("a");
    for (int i = 0; i < 30; ++i) {
      H5Lcreate_hard(out.file(), "/a", out.file(), ("/a/l" + std::to_string(i)).c_str(),
                     H5P_DEFAULT, H5P_DEFAULT);
    }
  }
  test::expect_error(ErrorKind::kUnsupported, AnyOf(HasSubstr("objects"), HasSubstr("nested")),
                     [&] { read(folder / "h.h5"); });
}

TEST(HostileKerasFile, AFloatOfAnotherLayoutIsLeftOut) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    const hid_t odd = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_ebias(odd, 100);
    out.dataset({.path = "l/kernel:0", .extents = {4}, .type = odd}, {});
    H5Tclose(odd);
  }
  EXPECT_TRUE(read_keras_h5(folder / "h.h5").empty());
}

TEST(HostileKerasFile, TwoWeightsOfOneNameAreRefused) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    out.dataset({.path = "a/l/kernel:0", .extents = {1}}, std::vector<float>{1});
    out.dataset({.path = "b/l/kernel:0", .extents = {1}}, std::vector<float>{2});
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("two weights named l/kernel"),
                     [&] { read(folder / "h.h5"); });
}

/// The bytes of a small network's file, made once.
const Bytes& small_file() {
  static const Bytes bytes = [] {
    const TemporaryFolder folder;
    test::write_keras(folder / "w.h5",
                      test::random_mobilenet({.width = 0.1f, .image_size = 32, .classes = 3}));
    return read_file(folder / "w.h5");
  }();
  return bytes;
}

TEST(HostileKerasFile, NamesInMessagesAreOneLine) {
  const TemporaryFolder folder;
  {
    H5Writer out(folder / "h.h5");
    out.dataset({.path = "a/evil\n\x1b[31m/kernel:0", .extents = {1}}, std::vector<float>{1});
    out.dataset({.path = "b/evil\n\x1b[31m/kernel:0", .extents = {1}}, std::vector<float>{1});
  }
  test::expect_error(ErrorKind::kUnsupported, HasSubstr("named evil??[31m/kernel"),
                     [&] { read(folder / "h.h5"); });
}

class CutKerasFile : public testing::TestWithParam<int> {};

TEST_P(CutKerasFile, IsSaidToBeDamagedWithTheWayOut) {
  const TemporaryFolder folder;
  const Bytes& whole = small_file();
  const std::size_t length = whole.size() * static_cast<std::size_t>(GetParam()) / 1000;
  test::write_bytes(folder / "cut.h5", std::span(whole).first(length));
  test::expect_error(
      ErrorKind::kBadInput,
      AllOf(HasSubstr("cut.h5"), HasSubstr("damaged or cut short: download it again")),
      [&] { static_cast<void>(read_keras_mobilenet_v2(folder / "cut.h5")); });
}

INSTANTIATE_TEST_SUITE_P(Thousandths, CutKerasFile,
                         testing::Values(0, 1, 5, 10, 50, 100, 200, 300, 400, 500, 600, 700, 800,
                                         900, 950, 990, 995, 999));

TEST(HostileKerasFile, CutShortSaysHowMuchIsThere) {
  const TemporaryFolder folder;
  const Bytes& whole = small_file();
  test::write_bytes(folder / "cut.h5", std::span(whole).first(whole.size() - 1));
  test::expect_error(ErrorKind::kBadInput,
                     AllOf(HasSubstr(std::to_string(whole.size() - 1)),
                           HasSubstr("should be " + std::to_string(whole.size()))),
                     [&] { read(folder / "cut.h5"); });
}

class FlippedKerasFile : public testing::TestWithParam<int> {};

TEST_P(FlippedKerasFile, IsReadOrRefusedButNeverCrashes) {
  const TemporaryFolder folder;
  Bytes bytes = small_file();
  Rng rng(11, static_cast<std::uint64_t>(GetParam()));
  // Half of them in the first kilobytes, where the structure is.
  for (int i = 0; i < 20; ++i) {
    const std::size_t range = i % 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 4096);
    bytes[rng.below(static_cast<std::uint32_t>(range))] ^=
        static_cast<std::byte>(1u << rng.below(8));
  }
  test::write_bytes(folder / "f.h5", bytes);
  try {
    const Network network = read_keras_mobilenet_v2(folder / "f.h5");
    check_weights(network.graph, network.weights);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("f.h5"));
    EXPECT_TRUE(error.kind() == ErrorKind::kBadInput || error.kind() == ErrorKind::kUnsupported);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlippedKerasFile, testing::Range(0, 60));

TEST(KerasConfig, TakesSizeAndEpsilonsFromNestedLayers) {
  const KerasConfig config = parse_keras_config(R"({"class_name": "Sequential", "config": [
      {"class_name": "Sequential", "config": {"layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 96, 96, 3]}},
        {"class_name": "BatchNormalization", "config": {"epsilon": 0.001}},
        {"class_name": "BatchNormalizationV1", "config": {"epsilon": 0.002}}]}},
      {"class_name": "Dense", "config": {"batch_input_shape": [null, 1280], "epsilon": 7}}]})");
  EXPECT_EQ(config.image_size, 96);
  EXPECT_THAT(config.epsilons, testing::ElementsAre(0.001f, 0.002f));
}

TEST(KerasConfig, OfSeveralSizesTheFirstIsTheInput) {
  const KerasConfig config = parse_keras_config(
      R"([{"batch_input_shape": [null, 160, 160, 3]}, {"batch_shape": [null, 96, 96, 3]}])");
  EXPECT_EQ(config.image_size, 160);
}

class OddConfig : public testing::TestWithParam<const char*> {};

TEST_P(OddConfig, GivesNothing) {
  const KerasConfig config = parse_keras_config(GetParam());
  EXPECT_FALSE(config.image_size.has_value());
  EXPECT_TRUE(config.epsilons.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Texts, OddConfig,
    testing::Values("", "{", "null", "[]", "7", "\"text\"", R"({"batch_input_shape": 3})",
                    R"({"batch_input_shape": [null, 96, 128, 3]})",
                    R"({"batch_input_shape": [null, null, null, 3]})",
                    R"({"batch_input_shape": [null, 96, 96, 1]})",
                    R"({"batch_input_shape": [null, 31, 31, 3]})",
                    R"({"batch_input_shape": [null, 99999999999, 99999999999, 3]})",
                    R"({"batch_input_shape": [null, 1e300, 1e300, 3]})",
                    R"({"class_name": 3, "config": {"epsilon": 1}})",
                    R"({"class_name": "BatchNormalization", "config": {"epsilon": "x"}})",
                    R"({"class_name": "BatchNormalization", "config": []})"));

TEST(KerasConfig, NestingDoesNotUseUpTheStack) {
  constexpr std::size_t kDepth = 200'000;
  EXPECT_FALSE(parse_keras_config(std::string(kDepth, '[') + std::string(kDepth, ']')).image_size);
}

}  // namespace engraft::keras_hostile_test
