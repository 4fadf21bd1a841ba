#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENGRAFT_OTHER_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ENGRAFT_OTHER_ALLOCATOR
#endif
#endif

namespace engraft::test {

/// Calls of operator new by this program so far. Not there with a sanitizer's allocator, where
/// ENGRAFT_OTHER_ALLOCATOR is defined.
[[nodiscard]] long allocations();

}  // namespace engraft::test
