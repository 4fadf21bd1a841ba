#!/usr/bin/env bash
# Runs every benchmark program: scripts/bench.sh BIN_DIR [GOOGLE_BENCHMARK_OPTION...]
set -euo pipefail
bin=$1
shift
for program in "$bin"/bench_*; do
  "$program" "$@"
done
