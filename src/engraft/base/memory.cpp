#include "engraft/base/memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "engraft/base/error.h"

namespace engraft {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

/// The number at the start of a one-line file; nothing where there is none ("max").
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

std::uint64_t system_memory() {
  std::ifstream file("/proc/meminfo");
  std::string line;
  constexpr std::string_view kKey = "MemAvailable:";
  while (std::getline(file, line)) {
    if (line.starts_with(kKey))
      return std::strtoull(line.c_str() + kKey.size(), nullptr, 10) * 1024;
  }
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0) return kUnlimited;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) / 2;
}

/// Of a group's memory.stat: what the kernel holds of files, and gives back when somebody needs it.
std::uint64_t file_pages(const std::string& path, std::string_view prefix) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t value = 0, sum = 0;
  while (file >> name >> value) {
    for (const char* kind : {"inactive_file", "active_file"}) {
      if (name == std::string(prefix) + kind) sum += value;
    }
  }
  return sum;
}

/// What is left of a container's limit, as both generations of the kernel's control groups tell it.
std::uint64_t container_memory() {
  struct Group {
    std::string folder, limit, used, prefix;
  };
  const Group groups[] = {
      {"/sys/fs/cgroup/", "memory.max", "memory.current", ""},
      {"/sys/fs/cgroup/memory/", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"}};
  std::uint64_t left = kUnlimited;
  for (const Group& group : groups) {
    const auto limit = number_in(group.folder + group.limit);
    const auto used = number_in(group.folder + group.used);
    if (!limit || !used) continue;
    const std::uint64_t files =
        std::min(*used, file_pages(group.folder + "memory.stat", group.prefix));
    const std::uint64_t held = *used - files;
    left = std::min(left, *limit > held ? *limit - held : 0);
  }
  return left;
}

}  // namespace

std::uint64_t available_memory() {
  return std::min(system_memory(), container_memory());
}

std::uint64_t parse_memory(std::string_view text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(parsed.ptr, text.data() + text.size());
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (unit.ends_with('B')) unit.pop_back();
  const std::string_view units = "KMG";
  const std::size_t power = unit.empty() ? 0 : units.find(unit) + 1;
  const double bytes = number * std::pow(1024.0, static_cast<double>(power));
  const bool known = unit.empty() || (unit.size() == 1 && units.find(unit) != std::string::npos);
  if (parsed.ec != std::errc() || !known || !(bytes >= 1) || bytes > 1e18) {
    throw Error(ErrorKind::kUsage,
                fmt::format("'{}' is no amount of memory; write it like 4G or 800M", text));
  }
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace engraft
