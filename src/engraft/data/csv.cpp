#include "engraft/data/csv.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "engraft/base/error.h"
#include "engraft/base/utf8.h"

namespace engraft {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void refuse(const std::string& name, std::string_view what) {
  throw Error(ErrorKind::kBadInput, fmt::format("{}: {}", name, what));
}

[[noreturn]] void refuse(const std::string& name, int line, std::string_view what) {
  throw Error(ErrorKind::kBadInput, fmt::format("{}:{}: {}", name, line, what));
}

/// The first line of text, its end included: LF, CRLF or CR.
std::string_view first_line(std::string_view text) {
  const std::size_t end = text.find_first_of("\r\n");
  if (end == std::string_view::npos) return text;
  return text.substr(0, text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
}

int line_of(std::string_view text, std::size_t offset) {
  int line = 1;
  for (std::string_view rest = text; !rest.empty(); ++line) {
    const std::size_t length = first_line(rest).size();
    if (offset < length) break;
    offset -= length;
    rest.remove_prefix(length);
  }
  return line;
}

void check_is_text(std::string_view text, const std::string& name) {
  if (text.size() > kMaxCsvBytes) {
    refuse(name,
           fmt::format("is {} bytes; a table of labels may have {}", text.size(), kMaxCsvBytes));
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    refuse(name, "is UTF-16 text; save it as CSV UTF-8");
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    refuse(name, line_of(text, nul), "holds a NUL byte: this is not a CSV file");
  }
  if (const std::size_t bad = invalid_utf8_at(text); bad != std::string_view::npos) {
    refuse(name, line_of(text, bad), "is not UTF-8 text; save it as CSV UTF-8");
  }
}

char find_delimiter(std::string_view text) {
  constexpr std::array kDelimiters{',', ';', '\t'};  // the earlier wins a tie
  constexpr std::string_view kBlankLine = "\r\n ";
  text.remove_prefix(std::min(text.find_first_not_of(kBlankLine), text.size()));
  std::array<int, kDelimiters.size()> counts{};
  bool quoted = false;
  for (const char c : first_line(text)) {
    if (c == '"') quoted = !quoted;
    const auto* found = std::find(kDelimiters.begin(), kDelimiters.end(), c);
    if (!quoted && found != kDelimiters.end())
      ++counts[static_cast<std::size_t>(found - kDelimiters.begin())];
  }
  const auto* most = std::max_element(counts.begin(), counts.end());
  return kDelimiters[static_cast<std::size_t>(most - counts.begin())];
}

int is_blank(unsigned char c) {
  return c == ' ' || c == '\t';
}
int is_space(unsigned char c) {
  return c == ' ';
}

/// libcsv over one text, a line at a time, so that rows and errors know their lines.
class Lexer {
 public:
  Lexer(CsvTable& table, const std::string& name) : table_(table), name_(name) {
    csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL);
    csv_set_delim(&parser_, static_cast<unsigned char>(table.delimiter));
    csv_set_space_func(&parser_, table.delimiter == '\t' ? is_space : is_blank);
    csv_set_blk_size(&parser_, 4096);
  }
  ~Lexer() { csv_free(&parser_); }
  Lexer(const Lexer&) = delete;
  Lexer& operator=(const Lexer&) = delete;

  void read(std::string_view text) {
    for (; !text.empty(); text.remove_prefix(first_line(text).size())) {
      ++line_;
      const std::string_view line = first_line(text);
      if (row_complete_) row_.line = field_line_ = line_;
      row_complete_ = false;
      const std::size_t used =
          csv_parse(&parser_, line.data(), line.size(), on_field, on_row, this);
      if (too_many_ || used != line.size()) fail();
    }
    if (csv_fini(&parser_, on_field, on_row, this) != 0) {
      refuse(name_, field_line_, "the quote that opens here is never closed");
    }
    if (too_many_) fail();
  }

 private:
  // libcsv is C: no exception may pass through it, so the callbacks only note what went wrong.
  static void on_field(void* data, std::size_t size, void* self) noexcept {
    auto& lexer = *static_cast<Lexer*>(self);
    if (lexer.too_many_) return;
    try {
      lexer.row_.fields.emplace_back(static_cast<const char*>(data), size);
      lexer.too_many_ = ++lexer.fields_ > kMaxCsvFields;
    } catch (const std::bad_alloc&) {
      lexer.too_many_ = true;
    }
    lexer.field_line_ = lexer.line_;
  }

  static void on_row(int, void* self) noexcept {
    auto& lexer = *static_cast<Lexer*>(self);
    lexer.row_complete_ = true;
    const auto is_empty = [](const std::string& field) { return field.empty(); };
    if (!std::all_of(lexer.row_.fields.begin(), lexer.row_.fields.end(), is_empty)) {
      try {
        lexer.table_.rows.push_back(std::move(lexer.row_));
      } catch (const std::bad_alloc&) {
        lexer.too_many_ = true;
      }
    }
    lexer.row_.fields.clear();
  }

  [[noreturn]] void fail() {
    if (too_many_)
      refuse(name_, line_, fmt::format("more fields than {} or than memory holds", kMaxCsvFields));
    if (csv_error(&parser_) != CSV_EPARSE)
      refuse(name_, line_, "a field is too large for the memory there is");
    const std::string began =
        field_line_ < line_ ? fmt::format(" (the field began in line {})", field_line_) : "";
    refuse(name_, line_,
           fmt::format("a quote inside a field{}; write it twice and put quotes around the field",
                       began));
  }

  CsvTable& table_;
  const std::string& name_;
  csv_parser parser_{};
  CsvRow row_;
  std::size_t fields_ = 0;
  int line_ = 0;
  int field_line_ = 0;  ///< where the last field ended: a quoted one that follows begins there
  bool row_complete_ = true;
  bool too_many_ = false;
};

/// A header's cell as the lists below have it: "Image-Path" -> "image_path".
std::string header_key(std::string_view cell) {
  std::string key;
  for (const char c : cell) {
    const bool upper = c >= 'A' && c <= 'Z';
    key += c == ' ' || c == '-' ? '_' : upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return key;
}

bool is_file_key(std::string_view key) {
  constexpr std::array<std::string_view, 13> kKeys{
      "filename", "file",       "file_name",  "filepath", "file_path", "path",      "image",
      "img",      "image_name", "image_path", "picture",  "photo",     "image_file"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

bool is_label_key(std::string_view key) {
  constexpr std::array<std::string_view, 6> kKeys{"label",      "labels",   "class",
                                                  "class_name", "category", "target"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

/// The one cell of a header that is_key() knows; -1 when there is none.
int find_column(const CsvRow& header, bool (*is_key)(std::string_view), const std::string& name) {
  int found = -1;
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    if (!is_key(header_key(header.fields[i]))) continue;
    if (found >= 0) {
      refuse(name, header.line,
             fmt::format("columns '{}' and '{}' mean the same; rename the one not to be used",
                         header.fields[static_cast<std::size_t>(found)], header.fields[i]));
    }
    found = static_cast<int>(i);
  }
  return found;
}

struct Columns {
  int file = 0;
  int label = 1;
  bool has_header = false;
};

Columns find_columns(const CsvTable& table, const std::string& name) {
  const CsvRow& header = table.rows.front();
  if (header.fields.size() < 2) {
    refuse(name, header.line,
           "one column only; a file name and a label are needed, as in a.jpg,cat");
  }
  Columns columns{.file = find_column(header, is_file_key, name),
                  .label = find_column(header, is_label_key, name),
                  .has_header = true};
  if (columns.file < 0 && columns.label < 0) return {};
  const bool two = header.fields.size() == 2;
  if (columns.file < 0 && two) columns.file = 1 - columns.label;
  if (columns.label < 0 && two) columns.label = 1 - columns.file;
  if (columns.file < 0) refuse(name, header.line, "no column of file names; call it 'filename'");
  if (columns.label < 0) refuse(name, header.line, "no column of labels; call it 'label'");
  return columns;
}

std::string field_at(const CsvRow& row, int column) {
  const auto i = static_cast<std::size_t>(column);
  return i < row.fields.size() ? row.fields[i] : std::string();
}

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& name) {
  check_is_text(text, name);
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  CsvTable table;
  table.delimiter = find_delimiter(text);
  Lexer(table, name).read(text);
  return table;
}

std::string csv_field(std::string_view text) {
  const bool outer_blank = !text.empty() && (is_blank(static_cast<unsigned char>(text.front())) ||
                                             is_blank(static_cast<unsigned char>(text.back())));
  if (!outer_blank && text.find_first_of(",;\t\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

LabelTable read_labels(const CsvTable& table, const std::string& name) {
  if (table.rows.empty()) refuse(name, "holds no rows");
  const Columns columns = find_columns(table, name);
  LabelTable labels{.rows = {}, .has_header = columns.has_header};
  for (std::size_t i = columns.has_header ? 1 : 0; i < table.rows.size(); ++i) {
    const CsvRow& row = table.rows[i];
    labels.rows.push_back({row.line, field_at(row, columns.file), field_at(row, columns.label)});
  }
  if (labels.rows.empty()) refuse(name, "holds a header but no rows");
  return labels;
}

}  // namespace engraft
