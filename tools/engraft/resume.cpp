#include "resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engraft/base/error.h"
#include "engraft/base/file.h"
#include "engraft/base/utf8.h"
#include "engraft/run/unfinished.h"
#include "engraft/version.h"

namespace engraft::cli {
namespace {

namespace fs = std::filesystem;

/// Text as it is, byte for byte: JSON has strings of UTF-8 only.
nlohmann::ordered_json exactly(const std::string& text) {
  if (invalid_utf8_at(text) == std::string_view::npos) return text;
  return {{"bytes", std::vector<std::uint8_t>(text.begin(), text.end())}};
}

[[noreturn]] void refuse_damaged(const fs::path& file) {
  throw Error(ErrorKind::kBadInput, fmt::format("{}: damaged; begin the run anew", file.string()));
}

/// What exactly() made of it, read from the file.
std::string text_of(const nlohmann::json& json, const fs::path& file) {
  if (json.is_string()) return json.get<std::string>();
  std::string text;
  for (const nlohmann::json& byte : json.at("bytes").get_ref<const nlohmann::json::array_t&>()) {
    if (!byte.is_number_unsigned() || byte.get<std::uint64_t>() > 255) refuse_damaged(file);
    text += static_cast<char>(byte.get<std::uint8_t>());
  }
  return text;
}

void go_to(const fs::path& folder) {
  std::error_code error;
  fs::current_path(folder, error);
  if (!error) return;
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: the run was begun there: {}; put the folder back, or begin the run "
                          "anew",
                          folder.string(), error.message()));
}

/// Another subcommand's run is not to be begun anew, but gone on with by that one.
void require_declared(const CLI::App& app, const std::vector<std::string>& words,
                      const fs::path& file) {
  const auto is_first = [&](const CLI::App* sub) { return sub->get_name() == words.front(); };
  if (words.empty() || !app.get_subcommands(is_first).empty()) return;
  for (const std::string_view other : {"train", "distill"}) {
    if (words.front() != other) continue;
    throw Error(ErrorKind::kUsage, fmt::format("{}: was begun by engraft {}; go on with engraft {} "
                                               "--resume",
                                               file.string(), other, other));
  }
}

/// "--a, --b and --c".
std::string listed(std::initializer_list<std::string_view> names) {
  std::string all;
  std::size_t left = names.size();
  for (const std::string_view name : names) {
    all += name;
    --left;
    if (left > 0) all += left == 1 ? " and " : ", ";
  }
  return all;
}

}  // namespace

std::string begun_command_json(const Command& command, const nlohmann::ordered_json& more) {
  nlohmann::ordered_json words = nlohmann::ordered_json::array();
  for (const std::string& word : command.words) words.push_back(exactly(word));
  nlohmann::ordered_json json{{"engraft", kVersion},
                              {"directory", exactly(fs::current_path().string())},
                              {"command", words}};
  if (!more.is_null()) json.update(more);
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void read_begun_command(const fs::path& unfinished, Command& command,
                        const BegunCommandReader& reader) {
  const fs::path file = unfinished / kCommandFile;
  try {
    const nlohmann::json json = nlohmann::json::parse(read_text_file(file));
    command.words.clear();
    for (const nlohmann::json& word : json.at("command")) {
      command.words.push_back(text_of(word, file));
    }
    go_to(text_of(json.at("directory"), file));
    CLI::App app;
    reader.declare(app);
    require_declared(app, command.words, file);
    app.parse(std::vector<std::string>(command.words.rbegin(), command.words.rend()));
    if (reader.complete) reader.complete(app, json);
  } catch (const nlohmann::json::exception&) {
    refuse_damaged(file);
  } catch (const CLI::Error& error) {
    throw Error(ErrorKind::kBadInput,
                fmt::format("{}: {}; begin the run anew", file.string(), error.what()));
  }
}

void refuse_beside_resume(const CLI::App& subcommand,
                          std::initializer_list<std::string_view> allowed) {
  for (const CLI::Option* option : subcommand.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--resume" || name == "--help") continue;
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--resume goes on with what the run was begun with; leave out {} (only "
                            "{} may be given)",
                            name, listed(allowed)));
  }
}

}  // namespace engraft::cli
