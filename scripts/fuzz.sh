#!/usr/bin/env bash
# Runs one fuzzer for so many seconds, beginning with its seeds: scripts/fuzz.sh FUZZER SECONDS
# What it finds is left in build/fuzz/findings; new inputs worth keeping gather in build/fuzz/corpus.
set -euo pipefail
fuzzer=$1
seconds=$2
name=$(basename "$fuzzer" | sed 's/^fuzz_//')
corpus=build/fuzz/corpus/$name
findings=build/fuzz/findings/$name
mkdir -p "$corpus" "$findings"
seeds=()
[[ -d fuzz/seeds/$name ]] && seeds=("fuzz/seeds/$name")
export LSAN_OPTIONS=suppressions=$PWD/tests/support/leaks.supp:print_suppressions=0
if ! "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
  -artifact_prefix="$findings/" "$corpus" "${seeds[@]}" >"$findings/log" 2>&1; then
  cat "$findings/log"
  exit 1
fi
echo "$name: nothing found in $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log") inputs"
