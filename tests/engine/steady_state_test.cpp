// What a picture costs beside arithmetic, once the first ones have been through: nothing.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "counted_new.h"
#include "engraft/engine/batch_runner.h"
#include "engraft/graph/mobilenet_v2.h"
#include "plan_harness.h"
#include "support/random_weights.h"

#ifndef ENGRAFT_OTHER_ALLOCATOR

namespace engraft::steady_state_test {

long page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

constexpr long kMany = 1 << 30;

struct Cost {
  long allocations, faults;
};

/// Of one of many calls: on a busy machine a thread may come late to the pages that it then keeps.
template <typename Call>
Cost least_cost(const Call& call) {
  Cost least{kMany, kMany};
  for (int i = 0; i < 40 && least.faults + least.allocations > 0; ++i) {
    const long allocations = test::allocations(), faults = page_faults();
    call();
    least.allocations = std::min(least.allocations, test::allocations() - allocations);
    least.faults = std::min(least.faults, page_faults() - faults);
  }
  return least;
}

class SteadyState : public testing::TestWithParam<int> {
 protected:
  Graph graph_ = mobilenet_v2({.width = 0.35f, .image_size = 96, .classes = 10});
  Weights weights_ = test::random_weights(graph_);
};

TEST_P(SteadyState, APictureByATeamAllocatesNothingAndTouchesNoNewPage) {
  const int threads = GetParam();
  const Plan plan = Plan::compile(graph_, weights_, {.threads = threads});
  Plan::Workspace workspace = plan.make_workspace();
  Team team(threads);
  const Cost cost = least_cost([&] {
    for (int i = 0; i < 20; ++i) (void)plan.forward(workspace, team);
  });
  EXPECT_EQ(cost.allocations, 0);
  EXPECT_EQ(cost.faults, 0);
}

TEST_P(SteadyState, ManyPicturesAllocateNoMoreThanFew) {
  ThreadPool pool(GetParam());
  BatchRunner runner(graph_, weights_, pool);
  const BatchRunner::Fill fill = [](std::size_t, std::span<float>) { return true; };
  const BatchRunner::Take take = [](std::size_t, std::span<const float>) {};
  const Cost few = least_cost([&] { runner.run(4, fill, take); });
  const Cost many = least_cost([&] { runner.run(120, fill, take); });
  EXPECT_EQ(many.allocations, few.allocations);
  EXPECT_EQ(many.faults, 0);
}

INSTANTIATE_TEST_SUITE_P(Threads, SteadyState, testing::Values(1, 2));

}  // namespace engraft::steady_state_test

#endif
