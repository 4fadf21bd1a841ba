#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace engraft {

/// Where text stops being UTF-8: the offset of the first byte that begins no well-formed sequence
/// (overlong forms, surrogates and values above U+10FFFF are not), or npos when all of it is.
/// Source: The Unicode Standard, table 3-7.
[[nodiscard]] std::size_t invalid_utf8_at(std::string_view text);

/// Can text stand in a message, a table or a terminal as it is: UTF-8 without control characters
/// (C0, DEL, C1).
[[nodiscard]] bool is_printable(std::string_view text);

/// text with every byte that is_printable() objects to replaced by '?': for names in messages.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace engraft
