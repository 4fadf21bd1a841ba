#pragma once

#include <cstdint>
#include <string_view>

namespace engraft {

/// Bytes that this process may still take without driving the machine into swapping: what the
/// system calls available, or what is left of a container's limit (cgroup) where that is less.
[[nodiscard]] std::uint64_t available_memory();

/// "512M", "4G", "1.5GB", "800000000": bytes, with K, M, G as 1024, 1024², 1024³. Throws
/// Error(kUsage) for anything else.
[[nodiscard]] std::uint64_t parse_memory(std::string_view text);

}  // namespace engraft
