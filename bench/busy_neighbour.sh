#!/usr/bin/env bash
# One picture on one thread and on two while another process keeps one core busy: busy_neighbour.sh BENCH_ENGINE [ROUNDS]
# BENCH_ENGINE: bin/bench_engine of a Release build with -DENGRAFT_BENCH=ON. Prints milliseconds and their ratio, a round a line;
# at most 1.0 means that the second thread does no harm. The two run in turn (5 rounds).
set -euo pipefail
program=$(realpath "$1")
rounds=${2:-5}
core=$(taskset -cp $$ | sed -E 's/.*[:,-] *([0-9]+)$/\1/')
taskset -c "$core" bash -c 'while :; do :; done' &
busy=$!
trap 'kill $busy' EXIT

milliseconds() {
  "$program" --benchmark_filter="single_picture/threads:$1/" --benchmark_min_time=2 2>/dev/null |
    awk '/^single_picture/ { print $2 }'
}

for ((round = 1; round <= rounds; round++)); do
  one=$(milliseconds 1)
  two=$(milliseconds 2)
  awk "BEGIN { printf \"one thread %.2f ms, two %.2f ms, ratio %.2f\n\", $one, $two, $two / $one }"
done
