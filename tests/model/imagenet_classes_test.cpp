#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "../support/test_data.h"
#include "engraft/model/model.h"

namespace engraft::imagenet_classes_test {

TEST(ImagenetClasses, AreAThousandDistinctNamesInSynsetOrder) {
  ASSERT_EQ(imagenet_labels().size(), 1000u);
  ASSERT_EQ(imagenet_synsets().size(), 1000u);
  EXPECT_EQ(std::set(imagenet_labels().begin(), imagenet_labels().end()).size(), 1000u);
  EXPECT_TRUE(std::ranges::is_sorted(imagenet_synsets()));
  for (const std::string& synset : imagenet_synsets()) {
    EXPECT_TRUE(synset.size() == 9 && synset[0] == 'n') << synset;
  }
  EXPECT_EQ(imagenet_labels().front(), "tench");
  EXPECT_EQ(imagenet_synsets().front(), "n01440764");
  EXPECT_EQ(imagenet_labels().back(), "toilet tissue");
}

TEST(ImagenetClasses, TellNamesakesApart) {
  EXPECT_EQ(imagenet_labels()[134], "crane (wading bird)");
  EXPECT_EQ(imagenet_labels()[517], "crane (lifting device)");
  EXPECT_EQ(imagenet_labels()[638], "maillot (tights)");
  EXPECT_EQ(imagenet_labels()[639], "maillot (swimsuit)");
}

TEST(ImagenetClasses, AgreeWithKerasButForTheNamesakes) {
  ENGRAFT_NEEDS_TEST_DATA(data);
  const auto index =
      nlohmann::json::parse(std::ifstream(data / "labels/imagenet_class_index.json"));
  std::vector<std::size_t> different;
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto& entry = index.at(std::to_string(i));
    EXPECT_EQ(imagenet_synsets()[i], entry[0].get<std::string>());
    std::string name = entry[1].get<std::string>();
    std::ranges::replace(name, '_', ' ');
    if (name != imagenet_labels()[i]) different.push_back(i);
  }
  EXPECT_THAT(different, testing::ElementsAre(134, 517, 638, 639));
}

}  // namespace engraft::imagenet_classes_test
