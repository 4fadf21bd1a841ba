#!/usr/bin/env bash
# The whole job, cold: a folder of pictures and a CSV to a trained head and a report, engraft against PyTorch twice, in turn:
#   bench/job_ratio.sh ENGRAFT PICTURES WEIGHTS [ROUNDS]
# PICTURES holds metadata.csv (file name and label), WEIGHTS is the Keras .h5. PyTorch runs bench/peers/torch_head.py: as the
# tutorials do, every epoch through the base, and with features cached. Times are those of whole processes; ROUNDS is 3.
set -euo pipefail
engraft=$(realpath "$1")
pictures=$(realpath "$2")
weights=$(realpath "$3")
rounds=${4:-3}
peer=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/peers/torch_head.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

seconds() { # COMMAND...
  local start=$EPOCHREALTIME
  "$@" >out.log 2>&1 || { tail -n 3 out.log >&2 && exit 1; }
  awk "BEGIN { print ${EPOCHREALTIME/,/.} - ${start/,/.} }"
}

for ((round = 1; round <= rounds; round++)); do
  rm -rf run*
  ours=$(seconds "$engraft" train "$pictures" --labels metadata.csv --model "$weights" --no-cache --out run)
  tutorial=$(seconds /usr/bin/python3 "$peer" "$pictures" --weights "$weights")
  cached=$(seconds /usr/bin/python3 "$peer" "$pictures" --weights "$weights" --cache-features)
  awk "BEGIN { printf \"engraft %.2f s; PyTorch, every epoch through the base %.1f s, %.1f times as long; features cached %.1f s, \
%.1f times\\n\", $ours, $tutorial, $tutorial / $ours, $cached, $cached / $ours }"
done
