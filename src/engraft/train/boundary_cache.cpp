#include "engraft/train/boundary_cache.h"

#include <algorithm>

namespace engraft {

bool BoundaryCache::find(const Key& key, std::span<float> to) const {
  const std::vector<float>* found = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(key);
    if (entry == entries_.end() || entry->second.size() != to.size()) return false;
    found = &entry->second;  // entries are never changed or taken out
  }
  std::ranges::copy(*found, to.begin());
  return true;
}

void BoundaryCache::put(const Key& key, std::span<const float> values) {
  const std::lock_guard lock(mutex_);
  if (used_ + values.size_bytes() > bytes_) return;
  if (entries_.try_emplace(key, values.begin(), values.end()).second) used_ += values.size_bytes();
}

std::size_t BoundaryCache::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

}  // namespace engraft
