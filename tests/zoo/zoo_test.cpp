#include "engraft/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "../support/test_data.h"
#include "engraft/base/file.h"
#include "local_server.h"

namespace engraft::zoo_test {

namespace fs = std::filesystem;
using test::LocalServer;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Zoo, ListsEveryPublishedMobileNetV2WithTheDefaultFirst) {
  ASSERT_EQ(zoo().size(), 23u);
  EXPECT_EQ(zoo().front().name, kDefaultModel);
  std::set<std::string> names, files;
  for (const ZooEntry& entry : zoo().first(22)) {
    EXPECT_FALSE(entry.embedded()) << entry.name;
    names.insert(entry.name);
    files.insert(entry.file);
    EXPECT_TRUE(entry.url.starts_with("https://")) << entry.name;
    EXPECT_TRUE(entry.url.ends_with("/mobilenet_v2/" + entry.file)) << entry.name;
    EXPECT_TRUE(entry.name.ends_with("_" + std::to_string(entry.image_size))) << entry.name;
  }
  EXPECT_EQ(names.size(), 22u);
  EXPECT_EQ(files.size(), 22u);
  EXPECT_TRUE(names.contains("mobilenet_v2_0.35_96"));
  EXPECT_TRUE(names.contains("mobilenet_v2_1.4_224"));
  EXPECT_FALSE(names.contains("mobilenet_v2_1.4_192"));
}

TEST(Zoo, TheEmbeddedModelIsLastAndHasNoAddress) {
  const ZooEntry& entry = zoo().back();
  EXPECT_EQ(entry.name, kEmbeddedModel);
  EXPECT_TRUE(entry.embedded());
  EXPECT_EQ(entry.url, "");
  EXPECT_EQ(find_entry(kEmbeddedModel), &entry);
  EXPECT_EQ(find_entry("engraft-mini.onnx"), &entry);
  EXPECT_GT(entry.image_size, 0);
  EXPECT_EQ(entry.top1.has_value(), entry.top1_pictures > 0) << "a figure comes with its n";
}

TEST(Zoo, SaysWhatIsDocumentedAndNothingElse) {
  const ZooEntry* one = find_entry("mobilenet_v2_1.0_224");
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->file, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  EXPECT_EQ(one->parameters, 3'538'984);
  EXPECT_EQ(one->width, 1.0f);
  EXPECT_EQ(one->top1, 71.8f);
  EXPECT_EQ(find_entry("mobilenet_v2_0.5_160")->top1, std::nullopt);
  int documented = 0;
  for (const ZooEntry& entry : zoo().first(22)) documented += entry.top1.has_value();
  EXPECT_EQ(documented, 10);
  EXPECT_EQ(find_entry("mobilenet_v3"), nullptr);
}

/// Sets variables for one test.
class Places : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"ENGRAFT_MODELS", "XDG_CACHE_HOME", "HOME", "ENGRAFT_OFFLINE",
                             "ENGRAFT_MIRROR", "http_proxy", "all_proxy", "ALL_PROXY"}) {
      const char* value = std::getenv(name);
      before_.emplace_back(name, value ? std::optional<std::string>(value) : std::nullopt);
      ::unsetenv(name);
    }
    places.cache = folder / "cache";
    options.backoff = std::chrono::milliseconds(1);
    options.attempts = 1;
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }

  fs::path find(const std::string& what) { return find_model(what, places, silent, {}, options); }
  Error failure(const std::string& what) {
    try {
      find(what);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << what << " was found";
    return {ErrorKind::kInternal, ""};
  }

  test::TemporaryFolder folder;
  ZooPlaces places;
  DownloadOptions options;
  NoProgress silent;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

constexpr const char* kFile = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5";

TEST_F(Places, ComeFromTheEnvironment) {
  ::setenv("HOME", "/home/me", 1);
  EXPECT_EQ(places_from_environment().cache, "/home/me/.cache/engraft");
  EXPECT_TRUE(places_from_environment().folders.empty());
  EXPECT_FALSE(places_from_environment().offline);
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(places_from_environment().cache, "/home/me/.cache/engraft");
  ::setenv("XDG_CACHE_HOME", "/var/xdg", 1);
  ::setenv("ENGRAFT_MODELS", "/a:b c::/d:", 1);
  ::setenv("ENGRAFT_OFFLINE", "1", 1);
  ::setenv("ENGRAFT_MIRROR", "http://mirror.example", 1);
  const ZooPlaces got = places_from_environment();
  EXPECT_EQ(got.cache, "/var/xdg/engraft");
  EXPECT_THAT(got.folders, ElementsAre("/a", "b c", "/d"));
  EXPECT_TRUE(got.offline);
  EXPECT_EQ(got.mirror, "http://mirror.example");
  ::setenv("ENGRAFT_OFFLINE", "0", 1);
  EXPECT_FALSE(places_from_environment().offline);
}

TEST_F(Places, AreEmptyInAnEmptyEnvironment) {
  EXPECT_TRUE(places_from_environment().cache.empty());
  places.cache.clear();
  EXPECT_THAT(failure("mobilenet_v2_1.0_224").what(), HasSubstr("set HOME"));
  EXPECT_THAT(failure("http://127.0.0.1:1/x.h5").what(), HasSubstr("set HOME"));
}

TEST_F(Places, AnExistingFileIsTakenAsItIs) {
  const fs::path file = folder / "my model";
  write_file_atomic(file, std::string_view("x"));
  EXPECT_EQ(find(file), file);
}

TEST_F(Places, NamesAreLookedForInTheFoldersThenInTheCache) {
  const fs::path cached = folder / "cache" / kFile;
  write_file_atomic(cached, std::string_view("cached"));
  EXPECT_EQ(find("mobilenet_v2_1.0_224"), cached);
  EXPECT_EQ(find(kFile), cached) << "the file's own name is a name too";
  places.folders = {folder / "missing", folder / "second"};
  EXPECT_EQ(find("mobilenet_v2_1.0_224"), cached);
  const fs::path second = folder / "second" / kFile;
  write_file_atomic(second, std::string_view("second"));
  EXPECT_EQ(find("mobilenet_v2_1.0_224"), second);
  EXPECT_THAT(search_order(places),
              ElementsAre(folder / "missing", folder / "second", folder / "cache"));
}

TEST_F(Places, WhatIsNowhereIsDownloadedIntoTheCache) {
  if (!test::has_loopback()) GTEST_SKIP() << test::kNoLoopback;
  LocalServer server([](auto&, auto& connection) {
    connection.send(test::head("200 OK", {"Content-Length: 7"}));
    connection.send("weights");
  });
  places.mirror = server.url("/mirror");
  EXPECT_EQ(find("mobilenet_v2_1.0_224"), folder / "cache" / kFile);
  EXPECT_EQ(read_text_file(folder / "cache" / kFile), "weights");
  EXPECT_EQ(find("mobilenet_v2_1.0_224"), folder / "cache" / kFile);
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests().at(0).path, std::string("/mirror/") + kFile);
}

TEST_F(Places, AnAddressIsDownloadedOnceUnderANameOfItsOwn) {
  if (!test::has_loopback()) GTEST_SKIP() << test::kNoLoopback;
  LocalServer server([](auto& request, auto& connection) {
    connection.send(test::head("200 OK", {"Content-Length: 7"}));
    connection.send(request.path == "/a/w_0.5_96.h5" ? "first 7" : "other 7");
  });
  const fs::path first = find(server.url("/a/w_0.5_96.h5"));
  const fs::path other = find(server.url("/b/w_0.5_96.h5"));
  EXPECT_NE(first, other);
  EXPECT_TRUE(first.filename().string().ends_with("-w_0.5_96.h5"));
  EXPECT_EQ(read_text_file(first), "first 7");
  EXPECT_EQ(read_text_file(other), "other 7");
  EXPECT_EQ(find(server.url("/a/w_0.5_96.h5")), first);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Places, HostileAddressesStayInsideTheCache) {
  for (const std::string& url :
       {std::string("http://h/../../../etc/passwd"), std::string("http://h/a/..?x=/../y"),
        std::string("http://h/"), std::string("http://h/%2e%2e%2fz\n\0q", 21),
        "http://h/" + std::string(5000, 'n') + "_1.0_224.h5"}) {
    const fs::path path = cached_url(url, places);
    EXPECT_EQ(path.parent_path(), folder / "cache/url") << url;
    EXPECT_LT(path.filename().string().size(), 130u);
    EXPECT_EQ(path.lexically_normal(), path);
  }
  EXPECT_TRUE(cached_url("http://h/" + std::string(5000, 'n') + "_1.0_224.h5", places)
                  .string()
                  .ends_with("_1.0_224.h5"));
}

TEST_F(Places, OfflineNamesTheFileTheAddressAndTheFolder) {
  places.offline = true;
  const Error error = failure("mobilenet_v2_1.0_224");
  EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr(kFile), HasSubstr(zoo().front().url),
                    HasSubstr((folder / "cache" / kFile).string()), HasSubstr("ENGRAFT_OFFLINE")));
  places.folders = {folder / "models"};
  EXPECT_THAT(failure("mobilenet_v2_1.0_224").what(),
              HasSubstr((folder / "models" / kFile).string()));
}

TEST_F(Places, ADownloadThatFailsNamesTheFileTheAddressAndTheFolder) {
  places.mirror = "http://127.0.0.1:1/";
  const Error error = failure("mobilenet_v2_1.0_224");
  EXPECT_EQ(error.kind(), ErrorKind::kNetwork);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(std::string("http://127.0.0.1:1/") + kFile),
                                  HasSubstr((folder / "cache" / kFile).string())));
  EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
}

TEST_F(Places, ANameThatIsNearlyOneIsAnsweredWithTheNearest) {
  EXPECT_THAT(failure("mobilnet_v2_1.0_224").what(),
              HasSubstr("did you mean mobilenet_v2_1.0_224"));
  EXPECT_THAT(failure("MobileNet-V2-1.4-224").what(), HasSubstr("mobilenet_v2_1.4_224"));
  EXPECT_THAT(failure("mobilenet_v2").what(), HasSubstr("did you mean mobilenet_v2_1.0_224"));
  EXPECT_THAT(failure("resnet50").what(),
              AllOf(HasSubstr("engraft models"), testing::Not(HasSubstr("did you mean"))));
}

TEST_F(Places, WhatLooksLikeAFileIsCalledAMissingFile) {
  for (const char* what : {"runs/photos/model.onnx", "model.onnx", "./mobilenet_v2_1.0_224"}) {
    const Error error = failure(what);
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(what), HasSubstr("no such model file")));
  }
  EXPECT_THAT(failure(folder.path()).what(), HasSubstr("is a folder"));
}

TEST_F(Places, OtherProtocolsAndEmptyNamesAreUsageErrors) {
  EXPECT_EQ(failure("ftp://host/model.h5").kind(), ErrorKind::kUsage);
  EXPECT_EQ(failure("file:///etc/passwd").kind(), ErrorKind::kUsage);
  EXPECT_EQ(failure("").kind(), ErrorKind::kUsage);
}

}  // namespace engraft::zoo_test
