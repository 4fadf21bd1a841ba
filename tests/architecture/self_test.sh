#!/bin/sh
# self_test.sh CHECK: the check must find each breach planted here, and nothing in clean sources.
set -u
check=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fresh() {
  rm -rf "$folder/root"
  mkdir -p "$folder/root/src/engraft/low" "$folder/root/src/engraft/high" "$folder/root/tests" \
    "$folder/root/tools/engraft"
  cat >"$folder/root/src/engraft/CMakeLists.txt" <<'LISTS'
# engraft_module(ghost MODULES nothing)
engraft_module(low PUBLIC some::lib)
engraft_module(high MODULES low
  PRIVATE other::lib)  # over two lines
LISTS
  cat >"$folder/root/src/engraft/low/a.h" <<'SOURCE'
// Comments may speak of printf( and exit( and std::cout;
/* and so may blocks: std::cerr,
   abort( over lines */
inline const char* kText = "exit(1) \" printf(2) // std::cout";
inline int exit_code(int x) { return x; }  // exit_code( is not exit(
inline int my_exit(int x) { return snprintf(nullptr, 0, "%d", x); }
SOURCE
  printf '#include "engraft/low/a.h"\n#include <vector>\n' >"$folder/root/src/engraft/high/b.cpp"
  printf '#include "engraft/high/b.h"\n' >"$folder/root/tests/t.cpp"
  printf '#include "tools/engraft/own.h"\n' >"$folder/root/tools/engraft/main.cpp"
}

# expect STATUS PATTERN WHAT
expect() {
  output=$(sh "$check" "$folder/root" 2>&1)
  status=$?
  if [ "$status" -ne "$1" ] || ! printf '%s\n' "$output" | grep -q -- "$2"; then
    echo "FAILED: $3: status $status instead of $1, or no '$2' in:"
    printf '%s\n' "$output"
    failures=$((failures + 1))
  fi
}

# plant FILE LINE PATTERN WHAT: one line more, one breach more
plant() {
  fresh
  printf '%s\n' "$2" >>"$folder/root/$1"
  expect 1 "$3" "$4"
}

fresh
expect 0 '^$' 'clean sources pass'

plant src/engraft/low/a.h '#include "engraft/high/b.h"' 'low/a.h:7: low may not include' 'an arrow upwards'
plant src/engraft/low/a.h '  # include <engraft/high/b.h>' 'low may not include' 'the same in angle brackets'
plant src/engraft/high/b.cpp '#include "engraft/low/deep/../../x.h"' 'write engraft/' 'a way round inside the path'
plant src/engraft/high/b.cpp '#include "engraft/unknown/c.h"' 'high may not include' 'an unknown module'
plant src/engraft/high/b.cpp '#include "../low/a.h"' 'write engraft/' 'a way round the names'
plant src/engraft/high/b.cpp '#include "tools/engraft/own.h"' 'nothing may include tools/' 'the library includes the tool'
plant tests/t.cpp '#include "../tools/engraft/own.h"' 'nothing may include tools/' 'a test includes the tool'
plant src/engraft/high/b.cpp '  std::cout << 1;' 'high/b.cpp:3: prints' 'cout'
plant src/engraft/high/b.cpp '  std::cerr << 1;' 'prints' 'cerr'
plant src/engraft/high/b.cpp '  printf("x");' 'prints' 'printf'
plant src/engraft/high/b.cpp '  x = "//"; std::fprintf(stderr, "x");' 'prints' 'fprintf after a text'
plant src/engraft/high/b.cpp '  fmt::print("x");' 'prints' 'fmt::print'
plant src/engraft/high/b.cpp '  /* why */ std::exit(1);' 'exits' 'exit'
plant src/engraft/high/b.cpp '  abort();' 'exits' 'abort'

fresh
mkdir "$folder/root/src/engraft/new"
echo 'int x;' >"$folder/root/src/engraft/new/x.cpp"
expect 1 'module new is not in' 'a module without a declaration'

fresh
echo 'engraft_module(last MODULES later)' >>"$folder/root/src/engraft/CMakeLists.txt"
echo 'engraft_module(later)' >>"$folder/root/src/engraft/CMakeLists.txt"
expect 1 'last uses later, which is not declared above' 'an arrow to a module further down'

fresh
echo '' >"$folder/root/src/engraft/CMakeLists.txt"
rm -r "$folder/root/src/engraft/low" "$folder/root/src/engraft/high"
expect 2 'no engraft_module' 'lists without a module'

rm "$folder/root/src/engraft/CMakeLists.txt"
expect 2 'no such file' 'a root without lists'

[ "$failures" -eq 0 ] && echo 'every planted breach was found'
exit "$failures"
