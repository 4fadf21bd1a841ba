#!/usr/bin/env bash
# Times of whole commands, process start to end: bench/times.sh ENGRAFT DATA
# DATA holds streets/ with its metadata.csv. Needs hyperfine; the weights are found as engraft finds them.
set -euo pipefail
engraft=$(realpath "$1")
data=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
streets=("$engraft" train "$data/streets" --labels metadata.csv --class-names "clean,dirty" --model mobilenet_v2_1.0_224 --out run --json)
photo=$(find "$data/streets" -name '*.jpg' | sort | head -n 1)

hyperfine --warmup 2 --runs 20 -N --command-name 'classify one photo' "$engraft classify --model mobilenet_v2_1.0_224 $photo"
hyperfine --warmup 1 --runs 7 --prepare 'rm -rf run*' --command-name 'train on streets, no cache' "${streets[*]} --no-cache"
hyperfine --warmup 1 --runs 10 --prepare 'rm -rf run*' --command-name 'train on streets, features cached' \
  "${streets[*]} --cache $work/features.sqlite"

peak() { /usr/bin/time -f '%M' "$@" 2>&1 >/dev/null | tail -n 1; }
rm -rf run*
printf 'Peak memory of the streets run: %d MB\n' $(($(peak "${streets[@]}" --no-cache) / 1024))
