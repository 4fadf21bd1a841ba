#!/bin/sh
# suites_test.sh SUITES.CMAKE: what ctest makes of suites that pass, skip, skip and fail, or leak after they skipped.
set -eu
suites=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "$1" >&2; [ ! -f log ] || cat log >&2; exit 1; }

cat >program <<'TEXT'
#!/bin/sh
skipped() { printf '[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] %s\n' "$1"; }
case $1 in
  --gtest_list_tests)
    printf 'Running main() from ./gtest_main.cc\nPasses.\n  One\n  Two\nSome/Skips.\n  One/0  # GetParam() = "a.b"\n'
    printf 'Fails/0.  # TypeParam = float\n  One\nLeaks.\n  One\n' ;;
  '--gtest_filter=Passes.*') echo '[  PASSED  ] 2 tests.' ;;
  '--gtest_filter=Some/Skips.*') skipped Some/Skips.One/0 ;;
  '--gtest_filter=Fails/0.*') skipped Fails/0.One; printf '[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Fails/0.Two\n'; exit 1 ;;
  '--gtest_filter=Leaks.*') skipped Leaks.One; echo '==1==ERROR: LeakSanitizer: detected memory leaks'; exit 1 ;;
  *) echo "unknown: $1"; exit 1 ;;
esac
TEXT
chmod +x program
cmake -D PROGRAM="$folder/program" -D PREFIX=all. -D TIMEOUT=20 -D OUTPUT="$folder/CTestTestfile.cmake" -P "$suites"
ctest >log 2>&1 && fail 'nothing failed'
for line in 'all.Passes \.* *Passed' 'all.Some/Skips \.*\*\*\*Skipped' 'all.Fails/0 \.*\*\*\*Failed' \
  'all.Leaks \.*\*\*\*Failed' '50% tests passed, 2 tests failed out of 4'; do
  grep -q "$line" log || fail "not found: $line"
done

printf '#!/bin/sh\n' >program
cmake -D PROGRAM="$folder/program" -D PREFIX= -D TIMEOUT=20 -D OUTPUT="$folder/none" -P "$suites" >log 2>&1 &&
  fail 'a program without tests was taken'
grep -q 'has no tests' log || fail 'a program without tests is not named'
