#include "engraft/base/team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "engraft/base/error.h"
#include "support/errors.h"

namespace engraft::team_test {

using test::expect_error;
using testing::Each;
using testing::HasSubstr;

class TeamSizes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, TeamSizes, testing::Values(1, 2, 3, 8));

TEST_P(TeamSizes, EveryPartOfEveryPhaseIsDoneOnce) {
  Team team(GetParam());
  const std::vector<int> parts{1, 7, 2, Team::kMostParts, 1, 3};
  std::vector<std::vector<std::atomic<int>>> done;
  for (const int count : parts) done.emplace_back(static_cast<std::size_t>(count));
  for (int again = 1; again <= 20; ++again) {
    team.run(parts, [&](int phase, int part, int /*member*/) {
      ++done[static_cast<std::size_t>(phase)][static_cast<std::size_t>(part)];
    });
    for (const auto& phase : done) {
      for (const auto& times : phase) EXPECT_EQ(times, again);
    }
  }
}

TEST_P(TeamSizes, APhaseSeesAllThatThePhaseBeforeWrote) {
  Team team(GetParam());
  constexpr int kPhases = 200, kParts = 6;
  std::vector<std::array<long, kParts>> values(kPhases);  // not atomic: the team must order them
  const std::vector<int> parts(kPhases, kParts);
  for (int again = 0; again < 20; ++again) {
    team.run(parts, [&](int phase, int part, int /*member*/) {
      const auto p = static_cast<std::size_t>(phase);
      const long before =
          phase == 0 ? again
                     : std::accumulate(values[p - 1].begin(), values[p - 1].end(), 0L) % 1000;
      values[p][static_cast<std::size_t>(part)] = before + part;
    });
    long expected = again;
    for (int phase = 0; phase < kPhases; ++phase) {
      long sum = 0;
      for (int part = 0; part < kParts; ++part) sum += expected + part;
      EXPECT_EQ(std::accumulate(values[static_cast<std::size_t>(phase)].begin(),
                                values[static_cast<std::size_t>(phase)].end(), 0L),
                sum);
      expected = sum % 1000;
    }
  }
}

TEST_P(TeamSizes, AMembersNumberIsItsOwn) {
  Team team(GetParam());
  std::vector<std::atomic<int>> busy(static_cast<std::size_t>(GetParam()));
  std::atomic<int> clashes{0};
  const std::vector<int> parts(50, 20);
  team.run(parts, [&](int, int, int member) {
    auto& mine = busy[static_cast<std::size_t>(member)];
    if (mine.fetch_add(1) != 0) ++clashes;
    mine.fetch_sub(1);
  });
  EXPECT_EQ(clashes, 0);
}

TEST_P(TeamSizes, AnExceptionComesOutWhenAllIsOverAndTheTeamGoesOn) {
  Team team(GetParam());
  const std::vector<int> parts{4, 4};
  std::atomic<int> done{0};
  EXPECT_THROW(team.run(parts,
                        [&](int phase, int part, int) {
                          ++done;
                          if (phase == 0 && part == 2) throw std::runtime_error("no");
                        }),
               std::runtime_error);
  EXPECT_EQ(done, 8);
  team.run(parts, [&](int, int, int) { ++done; });
  EXPECT_EQ(done, 16);
}

TEST(Team, TheCallerDoesAllWhereTheOthersSleepOn) {
  Team team(2);
  const std::vector<int> parts(100, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // beyond what it spins
  std::atomic<int> done{0};
  team.run(parts, [&](int, int, int) { ++done; });
  EXPECT_EQ(done, 300);
}

TEST(Team, AHeldUpMemberLeavesTheRestOfThePhaseToTheOthers) {
  Team team(2);
  constexpr int kParts = 40;
  std::atomic<bool> held{false};
  std::atomic<int> others{0};
  const std::vector<int> parts{kParts};
  team.run(parts, [&](int, int, int) {
    if (!held.exchange(true)) {  // until everything else is done
      while (others < kParts - 1) std::this_thread::yield();
    } else {
      ++others;
    }
  });
  EXPECT_EQ(others, kParts - 1);
}

TEST(Team, ACallerThatHadToWaitIsAloneForAWhile) {
  EXPECT_TRUE(Team(1).caller_is_alone());
  Team team(2);
  EXPECT_FALSE(team.caller_is_alone());
  using Clock = std::chrono::steady_clock;
  bool was_alone = false;
  for (int job = 0; job < 50 && !was_alone; ++job) {  // the while is soon over
    std::atomic<bool> begun{false}, ended{false};
    const auto start = Clock::now();
    const std::vector<int> parts{2};
    team.run(parts, [&](int, int, int member) {
      if (member == 0) {
        while (!begun) std::this_thread::yield();
        ended = true;
      } else {  // longer than the caller has been busy
        begun = true;
        while (!ended) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(10) + 3 * (Clock::now() - start));
      }
    });
    was_alone = team.caller_is_alone();
  }
  EXPECT_TRUE(was_alone);
}

TEST(Team, TeamsComeAndGo) {
  const std::vector<int> parts{3, 1};
  for (int i = 0; i < 200; ++i) {
    Team team(3);
    std::atomic<int> done{0};
    if (i % 2 == 0) team.run(parts, [&](int, int, int) { ++done; });
    EXPECT_EQ(done, i % 2 == 0 ? 4 : 0);
  }
}

TEST(Team, NoPhasesAreNoWork) {
  Team team(2);
  team.run({}, [](int, int, int) { FAIL(); });
}

TEST(Team, PartsAndPhasesBeyondTheLimitsAreADefect) {
  Team team(1);
  const auto nothing = [](int, int, int) {};
  for (const int parts : {0, -1, Team::kMostParts + 1}) {
    expect_error(ErrorKind::kInternal, HasSubstr("parts"), [&] {
      team.run(std::array{1, parts}, nothing);
    });
  }
  const std::vector<int> many(Team::kMostPhases + 1, 1);
  expect_error(ErrorKind::kInternal, HasSubstr("phases"), [&] { team.run(many, nothing); });
  const std::vector<int> most(Team::kMostPhases, 1);
  std::atomic<int> done{0};
  team.run(most, [&](int, int, int) { ++done; });
  EXPECT_EQ(done, Team::kMostPhases);
}

TEST(Team, ThreadsOutOfRangeAreAUsageError) {
  expect_error(ErrorKind::kUsage, HasSubstr("threads"), [] { Team(-1); });
}

}  // namespace engraft::team_test
