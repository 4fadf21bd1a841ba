#!/usr/bin/env bash
# Fine-tuning a folder of pictures in five folds, engraft against PyTorch, one after the other:
#   bench/finetune_ratio.sh ENGRAFT PICTURES WEIGHTS [ROUNDS]
# PICTURES holds a folder per class, WEIGHTS is the Keras .h5 that both begin with. Prints accuracy, time and the ratio of the
# times of each round (1). PyTorch runs bench/peers/torch_finetune.py, which says what it needs.
set -euo pipefail
engraft=$(realpath "$1")
pictures=$(realpath "$2")
weights=$(realpath "$3")
rounds=${4:-1}
peer=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/peers/torch_finetune.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

field() { sed -nE "s/.*\"$1\": ?([0-9.e+-]+).*/\1/p" | tail -n 1; }

for ((round = 1; round <= rounds; round++)); do
  rm -rf run*
  "$engraft" train "$pictures" --model "$weights" --folds 5 --no-cache --out run --json 2>progress.log | tr -d '\n' >engraft.json || {
    tail -n 3 progress.log >&2
    exit 1
  }
  /usr/bin/python3 "$peer" "$pictures" --weights "$weights" --folds 5 | tail -n 1 >torch.json
  for program in engraft torch; do
    printf '%-8s %5.1f %%  %7.1f s\n' $program "$(awk "BEGIN { print 100 * $(field accuracy <$program.json) }")" \
      "$(field seconds <$program.json)"
  done
  awk "BEGIN { printf \"ratio    %.2f\n\", $(field seconds <torch.json) / $(field seconds <engraft.json) }"
done
