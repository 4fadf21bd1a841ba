// The model for whoever named none: the official one, or the one that is built in. Servers are the
// tests' own, on this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "download_fixture.h"
#include "engraft/zoo/zoo.h"

namespace engraft::default_model_test {

namespace fs = std::filesystem;
using namespace test;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class DefaultModelTest : public DownloadTest {
 protected:
  void SetUp() override {
    DownloadTest::SetUp();
    places.cache = folder / "cache";
  }
  DefaultModel find() {
    return find_default_model(places, progress, {}, options, milliseconds(150));
  }
  Error find_failure() {
    try {
      static_cast<void>(find());
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "it was found";
    return {ErrorKind::kInternal, ""};
  }
  void expect_embedded(const DefaultModel& found, const std::string& why) {
    EXPECT_EQ(found.file, kEmbeddedModel);
    EXPECT_EQ(found.name, kEmbeddedModel);
    EXPECT_THAT(found.notice, AllOf(HasSubstr("Using engraft-mini"), HasSubstr(why),
                                    HasSubstr(file_name()), Not(HasSubstr("\n"))));
    EXPECT_THAT(found.note, AllOf(HasSubstr("engraft-mini"), HasSubstr(zoo().front().url)));
    EXPECT_FALSE(fs::exists(places.cache / file_name()));
  }
  void expect_official(const DefaultModel& found, const fs::path& file) {
    EXPECT_EQ(found.file, file);
    EXPECT_EQ(found.name, kDefaultModel);
    EXPECT_EQ(found.notice, "");
    EXPECT_EQ(found.note, "");
  }
  static const std::string& file_name() { return zoo().front().file; }

  ZooPlaces places;
};

TEST_F(DefaultModelTest, IsTheOfficialOneWhereItIsHereEvenOffline) {
  places.offline = true;
  const fs::path cached = places.cache / file_name();
  write_file_atomic(cached, std::string_view("x"));
  expect_official(find(), cached);
  places.folders = {folder / "models"};
  write_file_atomic(folder / "models" / file_name(), std::string_view("y"));
  expect_official(find(), folder / "models" / file_name());
}

TEST_F(DefaultModelTest, IsDownloadedWhereThereIsANetwork) {
  LocalServer server(
      [](auto& request, auto& connection) { serve_rightly(content(1), request, connection); });
  places.mirror = server.url("/mirror");
  expect_official(find(), places.cache / file_name());
  EXPECT_TRUE(read_text_file(places.cache / file_name()) == content(1));
  expect_official(find(), places.cache / file_name());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneWhereDownloadsAreSwitchedOff) {
  places.offline = true;
  places.mirror = "http://127.0.0.1:1/";
  expect_embedded(find(), "ENGRAFT_OFFLINE");
  EXPECT_THAT(find().notice, HasSubstr("put it into " + places.cache.string()));
  places.folders = {folder / "models"};
  EXPECT_THAT(find().notice, HasSubstr("put it into " + (folder / "models").string()));
  EXPECT_TRUE(progress.notes.empty());
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneWhereThereIsNowhereToKeepTheOther) {
  places.cache.clear();
  const DefaultModel found = find();
  EXPECT_EQ(found.name, kEmbeddedModel);
  EXPECT_THAT(found.notice, AllOf(HasSubstr("no folder"), HasSubstr("give it with --model")));
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneAtOnceWhereNothingListens) {
  places.mirror = "http://127.0.0.1:1/";
  expect_embedded(find(), "127.0.0.1");
  EXPECT_TRUE(progress.notes.empty()) << "one attempt, and no word of others";
  EXPECT_TRUE(progress.stages.empty());
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneWhereTheServerStaysSilent) {
  options.stall = std::chrono::hours(1);
  LocalServer server([](auto&, auto& connection) { connection.hang(); });
  places.mirror = server.url("");
  expect_embedded(find(), "no byte for 0.15 s");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneWhereAProxyOrServerRefuses) {
  for (const char* status : {"403 Forbidden", "404 Not Found", "407 Proxy Authentication Required",
                             "502 Bad Gateway", "503 Service Unavailable"}) {
    LocalServer server(
        [&](auto&, auto& connection) { connection.send(head(status, {"Content-Length: 0"})); });
    places.mirror = server.url("");
    expect_embedded(find(), std::string(status).substr(0, 3));
    EXPECT_EQ(server.requests().size(), 1u) << status;
  }
}

TEST_F(DefaultModelTest, IsTheEmbeddedOneWhereAPageAnswersInPlaceOfAFile) {
  LocalServer server([](auto&, auto& connection) {
    connection.send(head("200 OK", {}));  // no length: ends when the connection does
    connection.send("<html>Please log in</html>");
  });
  places.mirror = server.url("");
  expect_embedded(find(), "no length");
}

TEST_F(DefaultModelTest, ADownloadThatBreaksIsTakenUpAgain) {
  LocalServer server([](auto& request, auto& connection) {
    serve_rightly(content(2), request, connection,
                  request.number == 1 ? 100'000 : std::string::npos);
  });
  places.mirror = server.url("");
  expect_official(find(), places.cache / file_name());
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_TRUE(read_text_file(places.cache / file_name()) == content(2));
}

TEST_F(DefaultModelTest, ADownloadThatStaysBrokenIsAnErrorThatNamesTheWayOut) {
  options.attempts = 2;
  LocalServer server([](auto&, auto& connection) {
    connection.send(head("200 OK", {"Content-Length: 5000"}));
    connection.send("only this");
  });
  places.mirror = server.url("");
  const Error error = find_failure();
  EXPECT_EQ(error.kind(), ErrorKind::kNetwork);
  EXPECT_THAT(error.what(), HasSubstr("--model engraft-mini"));
}

TEST_F(DefaultModelTest, ContentThatIsNotWhatItWasIsAnErrorAndNotAReasonForAnother) {
  write_file_atomic(places.cache / (file_name() + ".sha256"), hex(content(3)) + "  x\n");
  LocalServer server(
      [](auto& request, auto& connection) { serve_rightly(content(4), request, connection); });
  places.mirror = server.url("");
  EXPECT_THAT(find_failure().what(), HasSubstr("not what it was"));
}

TEST_F(DefaultModelTest, APartThatTheServerNoLongerHasIsBegunAnew) {
  {
    options.attempts = 1;
    LocalServer broken([](auto& request, auto& connection) {
      serve_rightly(content(5), request, connection, 100'000);
    });
    places.mirror = broken.url("");
    EXPECT_EQ(find_failure().kind(), ErrorKind::kNetwork);
  }
  options.attempts = 3;
  LocalServer server([](auto& request, auto& connection) {
    if (request.range() > 0) {
      connection.send(head("416 Range Not Satisfiable", {"Content-Length: 0"}));
    } else {
      serve_rightly(content(6), request, connection);
    }
  });
  places.mirror = server.url("");
  expect_official(find(), places.cache / file_name());
  EXPECT_TRUE(read_text_file(places.cache / file_name()) == content(6));
}

TEST_F(DefaultModelTest, AStopIsAStop) {
  std::stop_source source;
  source.request_stop();
  places.mirror = "http://127.0.0.1:1/";
  try {
    static_cast<void>(find_default_model(places, progress, source.get_token(), options));
    ADD_FAILURE() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
}

TEST_F(DefaultModelTest, ByNameTheEmbeddedModelIsFoundAnywhereAndOthersStayErrors) {
  places = {};
  places.offline = true;
  EXPECT_EQ(find_model("engraft-mini", places, progress), fs::path("engraft-mini"));
  EXPECT_EQ(find_model("engraft-mini.onnx", places, progress), fs::path("engraft-mini"));
  places.cache = folder / "cache";
  for (const std::string name : {"mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96"}) {
    EXPECT_THROW(static_cast<void>(find_model(name, places, progress)), Error) << name;
  }
}

}  // namespace engraft::default_model_test
