#pragma once

namespace engraft::cli {

/// Lets the first 64 MB of the heap be huge pages, where the system gives them on request, and has
/// what is large come from there: a network's weights are thousands of small pages, and most of the
/// time that they take to read is the system's, page by page. Called once, before anything large is
/// allocated; changes nothing but times.
void use_huge_pages_for_heap();

}  // namespace engraft::cli
