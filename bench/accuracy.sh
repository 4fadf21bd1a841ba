#!/usr/bin/env bash
# Accuracy on real pictures: bench/accuracy.sh ENGRAFT DATA
# DATA holds imagenet_samples/ (WordNet id first in each file name), streets/ (metadata.csv) and hymenoptera/ (train, val).
# The weights are found as engraft finds them; set ENGRAFT_MODELS to their folder.
set -euo pipefail
engraft=$(realpath "$1")
data=$(realpath "$2")
classes=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../assets/imagenet_classes.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo "ImageNet samples, top 1"
"$engraft" classify --model mobilenet_v2_1.0_224 --csv --top 1 "$data"/imagenet_samples 2>/dev/null | awk -F, -v classes="$classes" '
  BEGIN { while ((getline line < classes) > 0) { split(line, part, "\t"); id[n++] = part[1] } }
  NR > 1 {
    name = $1; sub(".*/", "", name)
    index_column = NF - 2  # labels may hold commas; the columns behind them do not
    ++all; if (substr(name, 1, 9) == id[$index_column]) ++right
  }
  END { printf "  %d of %d right, %.1f %%\n", right, all, 100 * right / all }'

train() { "$engraft" train "$@" --model mobilenet_v2_1.0_224 --no-cache --json 2>/dev/null | tr -d '\n '; echo; }
echo "Streets, 5 folds"
train "$data/streets" --labels metadata.csv --class-names clean,dirty --folds 5
echo "Ants and bees, judged on val"
train "$data/hymenoptera"
