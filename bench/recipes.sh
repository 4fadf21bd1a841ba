#!/usr/bin/env bash
# What fine-tuning gains on real pictures: bench/recipes.sh ENGRAFT DATA [SEEDS]
# DATA holds flowers/ (a folder per class), streets/ (metadata.csv) and hymenoptera/ (train, val). For each set and seed: the
# head alone, the default recipe, and the last stage in any case; flowers and streets in five folds.
# The weights are found as engraft finds them; set ENGRAFT_MODELS to their folder.
set -euo pipefail
engraft=$(realpath "$1")
data=$(realpath "$2")
seeds=${3:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

train() { # NAME ARGUMENTS...
  local name=$1
  shift
  "$engraft" train "$@" --model mobilenet_v2_1.0_224 --cache "$work/features.sqlite" --json 2>/dev/null | tr -d '\n ' |
    sed -E 's/.*"accuracy":([0-9.e-]+),"interval":\[([^]]*)\],"n":([0-9]+),"seconds":([0-9.]+).*/\1 \3 \4 \2/' |
    awk -v name="$name" '{ split($4, interval, ",")
      printf "  %-22s %5.1f %%  (95 %% interval %.1f to %.1f %%, n = %d)  %6.1f s\n", name, 100 * $1, 100 * interval[1],
        100 * interval[2], $2, $3 }'
}

for ((seed = 0; seed < seeds; seed++)); do
  for set in "flowers --folds 5" "streets --labels metadata.csv --folds 5" "hymenoptera"; do
    read -r -a arguments <<<"$set"
    echo "${arguments[0]}, seed $seed"
    arguments[0]=$data/${arguments[0]}
    train "head alone" "${arguments[@]}" --seed "$seed" --out head --recipe head
    train "default" "${arguments[@]}" --seed "$seed" --out default
    train "head, then last stage" "${arguments[@]}" --seed "$seed" --out last --fine-tune last
    rm -rf head* default* last*
  done
done
