#include "engraft/report/html.h"

#include <gmock/gmock.h>

#include <map>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"
#include "engraft/report/inline_svg.h"
#include "engraft/report/svg_ids.h"
#include "markup.h"
#include "sample_record.h"

namespace engraft::html_test {

using namespace test;
using testing::HasSubstr;
using testing::Not;

std::string attribute(const Tag& tag, const std::string& name) {
  for (const auto& [key, value] : tag.attributes) {
    if (key == name) return value;
  }
  return {};
}

/// A record with something hostile in every text.
RunRecord hostile_record() {
  RunRecord run = sample_record();
  run.title = run.evaluated_on = kHostile;
  run.class_names = {kHostile, kHostile};
  run.facts = run.problems = {{kHostile, kHostile}};
  run.notes = {kHostile};
  for (ClassMetrics& metrics : run.evaluation.per_class) metrics.label = kHostile;
  for (ShownPrediction& prediction : run.predictions) {
    prediction.name = prediction.true_label = kHostile;
    prediction.predicted_label = kHostile + "x";
  }
  run.fold_accuracies = {0.5, 1, std::nan("")};
  return run;
}

TEST(MarkupReader, SeesWhatIsWrong) {
  for (const char* bad : {"<b>", "</b>", "<b><i></b></i>", "a < b", "a & b", "<a href=x></a>"}) {
    EXPECT_NE(read_markup(bad).error, "") << bad;
  }
  EXPECT_EQ(read_markup("<a b=\"c\">&amp;<br></a>").error, "");
}

TEST(HtmlReport, IsBalancedMarkup) {
  EXPECT_EQ(read_markup(html_report(sample_record())).error, "");
  EXPECT_EQ(read_markup(html_report(hostile_record())).error, "");
  EXPECT_EQ(read_markup(html_report(RunRecord())).error, "");
  EXPECT_EQ(read_markup(html_report(record_of_classes(120))).error, "");
}

TEST(HtmlReport, SaysWhatAModelInIntegersWouldDoInFloats) {
  RunRecord run = sample_record();
  EXPECT_THAT(html_report(run), Not(HasSubstr("float32")));
  run.in_floats = run.evaluation;
  run.in_floats->accuracy = {.value = 0.125, .low = 0.0625, .high = 0.25};
  run.in_floats->correct = run.in_floats->n - 1;
  const std::string page = html_report(run);
  EXPECT_EQ(read_markup(page).error, "");
  EXPECT_THAT(page, HasSubstr("In float32 it is <strong class=\"number\">12.5 %</strong>"));
  EXPECT_THAT(page, HasSubstr("6.2 to 25.0 %"));
  EXPECT_THAT(page, HasSubstr(", 1 mistake</p>"));
}

TEST(HtmlReport, RefersToNothingOutside) {
  const std::string page = html_report(sample_record());
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
  for (const Tag& tag : read_markup(page).tags) {
    EXPECT_NE(tag.name, "script");
    EXPECT_NE(tag.name, "link");
    for (const std::string name : {"src", "href", "xlink:href"}) {
      const std::string value = attribute(tag, name);
      EXPECT_TRUE(value.empty() || value[0] == '#' || value.starts_with("data:image/")) << value;
    }
  }
}

TEST(HtmlReport, IdsAreUniqueAndEveryReferenceHasItsTarget) {
  const std::string page = html_report(sample_record());
  std::map<std::string, int> ids;
  std::vector<std::string> used;
  for (const Tag& tag : read_markup(page).tags) {
    if (!attribute(tag, "id").empty()) ++ids[attribute(tag, "id")];
    for (const auto& [name, value] : tag.attributes) {
      if (name.ends_with("href") && value.starts_with("#")) used.push_back(value.substr(1));
      for (std::size_t at = value.find("url(#"); at != value.npos;
           at = value.find("url(#", at + 1)) {
        used.push_back(value.substr(at + 5, value.find(')', at) - at - 5));
      }
    }
  }
  EXPECT_GT(ids.size(), 50u);
  EXPECT_GT(used.size(), 100u);
  for (const auto& [id, count] : ids) EXPECT_EQ(count, 1) << id;
  for (const std::string& id : used) EXPECT_EQ(ids.count(id), 1u) << id;
}

TEST(HtmlReport, EscapesEverythingFromOutside) {
  const std::string page = html_report(hostile_record());
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;?"));
  EXPECT_EQ(invalid_utf8_at(page), std::string_view::npos);
  for (const Tag& tag : read_markup(page).tags) {
    for (const auto& [name, value] : tag.attributes) EXPECT_FALSE(name.starts_with("on")) << name;
  }
}

TEST(HtmlReport, EveryTextOfTheRecordIsThere) {
  RunRecord run = sample_record();
  run.title = "T1tle";
  run.evaluated_on = "ev4luated";
  run.facts = {{"f4ct", "v4lue"}};
  run.notes = {"n0te"};
  run.problems = {{"sk1pped", "re4son"}};
  run.evaluation.per_class[0].label = "cl4ss";
  run.predictions[1].name = "ph0to.jpg";
  const std::string page = html_report(run);
  for (const char* text :
       {"T1tle", "ev4luated", "f4ct", "v4lue", "n0te", "sk1pped", "re4son", "cl4ss", "ph0to.jpg"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(HtmlReport, SaysHowSureTheFigureIs) {
  RunRecord run = sample_record();
  run.evaluation = evaluation(2, 1);  // 18 of 20
  const std::string page = html_report(run);
  EXPECT_THAT(page, HasSubstr("90.0 %"));
  EXPECT_THAT(page, HasSubstr("69.9 to 97.2 %"));
  EXPECT_THAT(page, HasSubstr("n = 20, 2 mistakes"));
  EXPECT_THAT(page, HasSubstr("one mistake is worth 5.0 points"));
}

TEST(HtmlReport, OnePictureOrNoneIsNoEvidence) {
  RunRecord run;
  EXPECT_THAT(html_report(run), HasSubstr("Nothing was evaluated"));
  run.evaluation.n = run.evaluation.correct = 1;
  EXPECT_THAT(html_report(run), HasSubstr("With a single picture this says nothing"));
}

TEST(HtmlReport, FoldsAreListedOnlyWithCrossValidation) {
  RunRecord run = sample_record();
  EXPECT_THAT(html_report(run), Not(HasSubstr("Fold 1")));
  run.fold_accuracies = {0.9, 1.0};
  const std::string page = html_report(run);
  EXPECT_THAT(page, HasSubstr("Fold 2"));
  EXPECT_THAT(page, HasSubstr("<strong class=\"number\">95.0 %</strong>"));
}

TEST(HtmlReport, SectionsWithoutContentAreLeftOut) {
  const std::string page = html_report(RunRecord());
  for (const char* heading :
       {"Training<", "Confusion matrix", "Class by class", "Predictions", "The run", "Problems"}) {
    EXPECT_THAT(page, Not(HasSubstr(heading)));
  }
}

TEST(HtmlReport, LongTablesAreFoldedUp) {
  EXPECT_THAT(html_report(record_of_classes(10)), Not(HasSubstr("<details>")));
  EXPECT_THAT(html_report(record_of_classes(40)), HasSubstr("Show all 40 classes"));
}

TEST(HtmlReport, HasBothColourSchemes) {
  EXPECT_THAT(html_report(RunRecord()), HasSubstr("prefers-color-scheme: dark"));
}

TEST(HtmlReport, SameRecordGivesTheSamePage) {
  EXPECT_TRUE(html_report(sample_record()) == html_report(sample_record()));
}

TEST(HtmlReport, FormatsNanAsADash) {
  RunRecord run = sample_record();
  run.evaluation.per_class[0].precision.value = std::nan("");
  run.predictions[0].probability = kNan;
  EXPECT_THAT(html_report(run), Not(HasSubstr("nan")));
}

TEST(InlineSvg, PrefixesIdsAndLeavesDataAlone) {
  const std::string document =
      "<?xml version=\"1.0\"?>\n<svg xmlns=\"ns\" width=\"9pt\" viewBox=\"0 0 90 33\">"
      "<g id=\"a\"/><use xlink:href=\"#a\"/><path style=\"fill:url(#a);\"/>"
      "<image xlink:href=\"data:image/png;base64,id=\"/></svg>\n";
  EXPECT_EQ(inline_svg(document, {.id_prefix = "p", .label = "a \"b\""}),
            "<svg viewBox=\"0 0 90 33\" style=\"max-width:calc(1.3 * 90px)\" role=\"img\" "
            "aria-label=\"a &quot;b&quot;\"><g id=\"pa\"/><use xlink:href=\"#pa\"/>"
            "<path style=\"fill:url(#pa);\"/><image xlink:href=\"data:image/png;base64,id=\"/>"
            "</svg>\n");
}

TEST(SvgIds, AreNumberedInTheOrderOfTheText) {
  EXPECT_EQ(number_ids("<g id=\"s9\"/><use href=\"#q7\"/><a id=\"q7\" c=\"url(#s9)\"/>"),
            "<g id=\"i0\"/><use href=\"#i1\"/><a id=\"i1\" c=\"url(#i0)\"/>");
  EXPECT_EQ(number_ids("<g id=\"\"/>url(#"), "<g id=\"\"/>url(#");
}

TEST(InlineSvg, RefusesWhatIsNoSvg) {
  EXPECT_THROW(static_cast<void>(inline_svg("nothing", {})), Error);
  EXPECT_THROW(static_cast<void>(inline_svg("<svg", {})), Error);
}

}  // namespace engraft::html_test
