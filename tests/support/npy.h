#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace engraft::test {

/// A NumPy file of values of type T, in C order. descr is NumPy's name of the type: "<f8", "|u1".
/// Source: NumPy Enhancement Proposal 1.
template <typename T>
struct Npy {
  std::vector<std::size_t> shape;
  std::vector<T> values;

  [[nodiscard]] const T* row(std::size_t i) const {
    return &values[i * (values.size() / shape[0])];
  }
};

template <typename T>
[[nodiscard]] Npy<T> read_npy(const std::filesystem::path& path, std::string_view descr) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto need = [&](bool holds, const char* what) {
    if (!holds) throw std::runtime_error(path.string() + ": " + what);
  };
  need(bytes.size() > 10 && bytes.compare(1, 5, "NUMPY") == 0 && bytes[6] == 1, "no npy 1.0 file");
  const std::size_t start =
      10u + static_cast<std::uint8_t>(bytes[8]) + 256u * static_cast<std::uint8_t>(bytes[9]);
  need(bytes.size() >= start, "cut short");
  const std::string header = bytes.substr(10, start - 10);
  need(header.find("'" + std::string(descr) + "'") != std::string::npos, "another type");
  need(header.find("'fortran_order': False") != std::string::npos, "another order");

  Npy<T> npy;
  std::size_t count = 1;
  std::size_t at = header.find("'shape': (") + 10;
  while (header[at] != ')') {
    std::size_t digits = 0;
    npy.shape.push_back(std::stoul(header.substr(at), &digits));
    count *= npy.shape.back();
    at = header.find_first_not_of(", ", at + digits);
  }
  need(bytes.size() - start == count * sizeof(T), "not the size that its shape says");
  npy.values.resize(count);
  std::memcpy(npy.values.data(), bytes.data() + start, bytes.size() - start);
  return npy;
}

}  // namespace engraft::test
