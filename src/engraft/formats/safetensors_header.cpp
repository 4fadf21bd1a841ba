#include "engraft/formats/safetensors_header.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engraft/base/error.h"

namespace engraft::safetensors_format {
namespace {

using nlohmann::json;

/// Takes the header event by event: no document is built, so that depth and duplicates are seen,
/// and memory is bounded, while the text is read.
class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  /// Why parsing stopped, if it did.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  [[nodiscard]] RawHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) return enter(Place::kTop);
    if (place_ != Place::kTop) return refuse("its header is nested otherwise than the format says");
    if (key_ == kMetadata) return enter(Place::kStrings);
    if (header_.tensors.size() >= kMaxEntries) return refuse("its header names too many tensors");
    const auto [entry, fresh] = header_.tensors.try_emplace(key_);
    if (!fresh) return refuse(fmt::format("tensor {} is there twice", key_));
    entry_ = &entry->second;
    seen_ = {};
    return enter(Place::kTensor);
  }

  bool end_object() override {
    if (place_ == Place::kTensor && (!seen_.dtype || !seen_.shape || seen_.offsets != 2)) {
      return refuse(fmt::format("tensor {} lacks its type, shape or place", key_));
    }
    return enter(place_ == Place::kTop ? Place::kEnd : Place::kTop);
  }

  bool key(string_t& name) override {
    (place_ == Place::kTop ? key_ : inner_) = name;
    if (place_ == Place::kTop && name == kMetadata) {
      if (seen_metadata_) return refuse("its metadata is there twice");
      seen_metadata_ = true;
    }
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::kStrings) {
      if (header_.metadata.size() >= kMaxEntries)
        return refuse("its metadata has too many strings");
      if (!header_.metadata.emplace(inner_, std::move(text)).second) {
        return refuse(fmt::format("metadata {} is there twice", inner_));
      }
      return true;
    }
    if (place_ != Place::kTensor || inner_ != "dtype" || seen_.dtype) return unexpected();
    seen_.dtype = true;
    entry_->dtype = std::move(text);
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor) return unexpected();
    if (inner_ == "shape" && !seen_.shape) {
      seen_.shape = true;
      return enter(Place::kShape);
    }
    if (inner_ == "data_offsets" && seen_.offsets == 0) return enter(Place::kOffsets);
    return unexpected();
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && seen_.offsets != 2) return unexpected();
    return enter(Place::kTensor);
  }

  bool number_unsigned(std::uint64_t number) override {
    if (place_ == Place::kShape) {
      if (entry_->shape.size() >= kMaxRank) {
        return refuse(fmt::format("tensor {} has more than {} axes", key_, kMaxRank));
      }
      entry_->shape.push_back(number);
      return true;
    }
    if (place_ != Place::kOffsets || seen_.offsets == 2) return unexpected();
    entry_->offsets[seen_.offsets++] = number;
    return true;
  }

  bool null() override { return unexpected(); }
  bool boolean(bool) override { return unexpected(); }
  bool number_integer(std::int64_t) override { return unexpected(); }
  bool number_float(double, const string_t&) override { return unexpected(); }
  bool binary(binary_t&) override { return unexpected(); }
  bool parse_error(std::size_t at, const std::string&, const json::exception&) override {
    return refuse(fmt::format("its header is not JSON at byte {}", at));
  }

 private:
  enum class Place { kStart, kTop, kStrings, kTensor, kShape, kOffsets, kEnd };
  struct Seen {
    bool dtype = false, shape = false;
    std::size_t offsets = 0;
  };

  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool refuse(std::string complaint) {
    if (complaint_.empty()) complaint_ = std::move(complaint);
    return false;
  }
  bool unexpected() {
    return refuse(fmt::format("its header says what the format does not know about {}",
                              place_ == Place::kStart ? "tensors" : key_));
  }

  RawHeader header_;
  RawEntry* entry_ = nullptr;
  Place place_ = Place::kStart;
  Seen seen_;
  bool seen_metadata_ = false;
  std::string key_, inner_;
  std::string complaint_;
};

}  // namespace

void damaged_safetensors(const std::string& what) {
  throw Error(ErrorKind::kBadInput, fmt::format("damaged: {}; make or copy the file again", what));
}

RawHeader parse_header(std::string_view text) {
  // The JSON parser takes a NUL for the end of the text.
  if (!text.starts_with('{') || text.find('\0') != std::string_view::npos) {
    damaged_safetensors("it has no safetensors header");
  }
  HeaderReader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) damaged_safetensors(reader.complaint());
  return reader.take();
}

std::string header_text(const RawHeader& header) {
  json text = json::object();
  for (const auto& [name, entry] : header.tensors) {
    text[name] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", entry.offsets}};
  }
  text[std::string(kMetadata)] = header.metadata;
  return text.dump();
}

}  // namespace engraft::safetensors_format
