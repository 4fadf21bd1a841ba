#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engraft {

/// No table of labels is larger; ImageNet's takes half of it.
inline constexpr std::uint64_t kMaxCsvBytes = std::uint64_t{128} << 20;
/// Fields of one table, all rows together.
inline constexpr std::size_t kMaxCsvFields = std::size_t{1} << 22;

struct CsvRow {
  int line = 0;  ///< where it begins, from 1
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<CsvRow> rows;  ///< the header, if any, is rows.front()
  char delimiter = ',';
};

/// RFC 4180 text with or without BOM; lines end in LF, CRLF or CR; `,` `;` or tab between fields,
/// whichever the first line has most of outside quotes. Lines that are blank or hold nothing but
/// delimiters are left out; blanks around fields are trimmed, inside quotes they stay. Rows may
/// differ in length. Throws Error(kBadInput), with the line, for text that is no table: NUL bytes,
/// invalid UTF-8, a quote that is never closed or stands inside an unquoted field, more than
/// kMaxCsvBytes or kMaxCsvFields. name stands at the head of messages.
[[nodiscard]] CsvTable parse_csv(std::string_view text, const std::string& name);

/// A field as it must be written: quoted when it needs to be. Fields joined by `,` and read by
/// parse_csv come back as they were.
[[nodiscard]] std::string csv_field(std::string_view text);

struct LabelRow {
  int line = 0;
  std::string file;
  std::string label;
};

/// What read_labels() found.
struct LabelTable {
  std::vector<LabelRow> rows;
  bool has_header = false;
};

/// The file and label columns of a table. A header in any order and case, with blanks or hyphens
/// for underscores: filename, file, file_name, filepath, file_path, path, image, image_name,
/// image_path, image_file, img, picture, photo / label, labels, class, class_name, category,
/// target. With only one of the two known and two columns, the other is the other. Without a known
/// header the first column is the file and the second the label. A row too short for a column has
/// an empty text there. Throws Error(kBadInput) when the columns cannot be told: fewer than two,
/// none that could be the label, two that could.
[[nodiscard]] LabelTable read_labels(const CsvTable& table, const std::string& name);

}  // namespace engraft
