#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace engraft {

struct CsvRow {
  int line = 0;  ///< where it begins, from 1
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<CsvRow> rows;  ///< the header, if any, is rows.front()
  char delimiter = ',';
};

/// RFC 4180 text with or without BOM, LF or CRLF, `,` `;` or tab (found from the first line). Blank
/// lines are left out, blanks around unquoted fields trimmed. Throws Error(kBadInput) for text that
/// is no table: NUL bytes, invalid UTF-8, an unclosed quote. name stands at the head of messages.
[[nodiscard]] CsvTable parse_csv(std::string_view text, const std::string& name);

/// A field as it must be written: quoted when it needs to be.
[[nodiscard]] std::string csv_field(std::string_view text);

struct LabelRow {
  int line = 0;
  std::string file;
  std::string label;
};

/// The file and label columns of a table. A header in any order and case: filename, file,
/// file_name, path, image, image_path, img / label, class, category, target, class_name. Without a
/// known header the first column is the file and the second the label. Throws Error(kBadInput) when
/// the columns cannot be told.
[[nodiscard]] std::vector<LabelRow> read_label_rows(const CsvTable& table, const std::string& name);

}  // namespace engraft
