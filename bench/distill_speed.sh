#!/usr/bin/env bash
# How fast a network of width 0.35 at 128 px is taught: distill_speed.sh ENGRAFT PICTURES [TEACHER]
# PICTURES: a folder of some hundred pictures or more. TEACHER: mobilenet_v2_1.0_224, looking at 128 px as the student does.
# Prints views/s with the teacher asked about each view, and with its answers remembered (--views), reading and the first
# epoch's questions not counted.
set -euo pipefail
engraft=$(realpath "$1")
pictures=$(realpath "$2")
teacher=${3:-mobilenet_v2_1.0_224}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Views and seconds of the training alone, for some epochs.
train() {
  local epochs=$1
  shift
  rm -rf s.onnx s-run
  "$engraft" distill --teacher "$teacher" --student mobilenet_v2_0.35_128 "$pictures" --epochs "$epochs" --look-every 1000 \
    --hold-out 0 --checkpoint-every 1000 --out s.onnx --json "$@" 2>/dev/null |
    python3 -c "import json, sys; d = json.load(sys.stdin); v = d['pictures'] // 64 * 64 * d['epochs']; print(v, v / d['views_per_second'])"
}

train 1 >/dev/null # the files of the pictures are in memory from now on
read -r views seconds < <(train 3)
awk "BEGIN { printf \"teacher asked about each view: %.0f views/s\\n\", $views / $seconds }"
read -r few_views few_seconds < <(train 1 --views 1)
read -r views seconds < <(train 5 --views 1)
awk "BEGIN { printf \"answers remembered: %.0f views/s\\n\", ($views - $few_views) / ($seconds - $few_seconds) }"
