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
"$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=0 -verbosity=0 \
  -artifact_prefix="$findings/" "$corpus" "${seeds[@]}"
echo "$name: nothing found in $seconds s"
