// Any bytes: a table or one Error, and what a table holds can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engraft/base/error.h"
#include "engraft/data/csv.h"

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

void check_round_trip(const engraft::CsvTable& table) {
  std::string text = "a,first,line\n";  // so that the comma is the delimiter
  for (const engraft::CsvRow& row : table.rows) {
    for (std::size_t i = 0; i < row.fields.size(); ++i) {
      text += (i ? "," : "") + engraft::csv_field(row.fields[i]);
    }
    text += "\n";
  }
  const engraft::CsvTable again = engraft::parse_csv(text, "again");
  check(again.rows.size() == table.rows.size() + 1);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    check(again.rows[i + 1].fields == table.rows[i].fields);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const engraft::CsvTable table = engraft::parse_csv(text, "fuzz");
    int line = 0;
    for (const engraft::CsvRow& row : table.rows) {
      check(row.line > line && !row.fields.empty());
      line = row.line;
    }
    check_round_trip(table);
    for (const engraft::LabelRow& row : engraft::read_labels(table, "fuzz").rows) {
      check(row.line >= 1);
    }
  } catch (const engraft::Error& error) {
    check(error.kind() == engraft::ErrorKind::kBadInput);
    check(std::string_view(error.what()).find('\n') == std::string_view::npos ||
          text.find('\n') != std::string_view::npos);
  }
  return 0;
}
