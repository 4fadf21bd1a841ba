#!/bin/sh
# check.sh ROOT: holds the include lines under ROOT/src/engraft against the MODULES lists of
# ROOT/src/engraft/CMakeLists.txt, and the library against printing and exiting. Prints one line a
# breach; exit status 1 if there is any, 2 if there was nothing to check.
set -eu
root=$1
lists=$root/src/engraft/CMakeLists.txt
[ -f "$lists" ] || { echo "$lists: no such file" >&2; exit 2; }

cd "$root"
places=
for folder in src tests fuzz bench tools; do
  [ -d "$folder" ] && places="$places $folder"
done
# Lists of names without blanks, so they are split on purpose.
# shellcheck disable=SC2086
files=$(find $places -type f \( -name '*.h' -o -name '*.cpp' \) | LC_ALL=C sort)
[ -n "$files" ] || { echo "$root: no sources" >&2; exit 2; }

# The lists come first: awk must know them before it sees an include line.
# shellcheck disable=SC2086
LC_ALL=C awk '
function breach(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; breaches++ }

# engraft_module(NAME MODULES a b c PRIVATE ...), over one line or more.
function read_module(call,    words, count, i, name, taking) {
  sub(/^[ \t]*engraft_module\(/, "", call)
  sub(/\).*/, "", call)
  count = split(call, words, /[ \t\n]+/)
  name = words[1]
  declared[name] = ++modules
  allowed[name, name] = 1
  for (i = 2; i <= count; i++) {
    if (words[i] ~ /^(MODULES|PUBLIC|PRIVATE)$/) taking = words[i]
    else if (taking == "MODULES") {
      allowed[name, words[i]] = 1
      if (!(words[i] in declared))
        breach("module " name " uses " words[i] ", which is not declared above it")
    }
  }
}

# Comments and texts do not call anything. A block comment may span lines.
function code_of(line,    at, result) {
  result = ""
  while (line != "") {
    if (in_block) {
      at = index(line, "*/")
      if (!at) return result
      line = substr(line, at + 2)
      in_block = 0
    }
    if (!match(line, /\/\/|\/\*|"/)) return result line
    result = result substr(line, 1, RSTART - 1)
    if (substr(line, RSTART, 2) == "//") return result
    if (substr(line, RSTART, 2) == "/*") { in_block = 1; line = substr(line, RSTART + 2); continue }
    line = substr(line, RSTART)
    if (!match(line, /^"([^"\\]|\\.)*"/)) return result
    result = result "\"\""
    line = substr(line, RLENGTH + 1)
  }
  return result
}

FNR == 1 { in_block = 0; call = "" }

FILENAME ~ /CMakeLists\.txt$/ {
  sub(/#.*/, "")
  if ($0 ~ /^[ \t]*engraft_module\(/) call = " "
  if (call != "") call = call $0 "\n"
  if (call != "" && $0 ~ /\)/) { sub(/^ +/, "", call); read_module(call); call = "" }
  next
}

FNR == 1 {
  module = ""
  if (FILENAME ~ /^src\/engraft\/[^\/]+\//) {
    split(FILENAME, parts, "/")
    module = parts[3]
    if (!(module in declared)) breach("module " module " is not in src/engraft/CMakeLists.txt")
  }
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
  target = $0
  sub(/^[^<"]*[<"]/, "", target)
  sub(/[>"].*/, "", target)
  if (target ~ /(^|\/)tools\// && FILENAME !~ /^tools\//) breach("includes " target "; nothing may include tools/")
  if (module != "" && target ~ /(^|\/)\.\.\//) breach("includes " target "; write engraft/MODULE/FILE.h")
  if (module != "" && target ~ /^engraft\/[^\/]+\//) {  # engraft/version.h is of no module
    split(target, parts, "/")
    if (!((module, parts[2]) in allowed))
      breach(module " may not include " target "; its MODULES are in src/engraft/CMakeLists.txt")
  }
  next
}

module != "" {
  code = code_of($0)
  if (code ~ /std::(cout|cerr|clog)([^A-Za-z0-9_]|$)/ ||
      code ~ /(^|[^A-Za-z0-9_])(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)[ \t]*\(/ ||
      code ~ /fmt::print[ \t]*\(/)
    breach("prints; the library reports through Progress, results and Error")
  if (code ~ /(^|[^A-Za-z0-9_])(exit|_exit|_Exit|quick_exit|abort)[ \t]*\(/)
    breach("exits; the library throws Error")
}

END {
  if (!modules) { print "no engraft_module() found"; exit 2 }
  exit breaches ? 1 : 0
}
' src/engraft/CMakeLists.txt $files
