#!/usr/bin/env bash
# Makes the small base network again that engraft carries: MobileNetV2 0.35 at 128 pixels, from random weights, taught by
# MobileNetV2 1.0 on pictures without labels, then once more with drawn pictures among them.
#   make_base.sh ENGRAFT DATA OUT.onnx
# ENGRAFT: the program. DATA: a folder with unlabelled/, samples/, imagenet_samples/ and flowers/. Every second picture of
# imagenet_samples is left out, and flowers judges without being learnt from, as do all other sets. The weights of the
# teacher are looked for where `engraft models` says. The run may be stopped and called again: it goes on.
# Both rounds are 1.5 million views, an hour to an hour and a half each on two cores. What is kept beside OUT.onnx:
# OUT-first.onnx, the first round's, OUT-compact.onnx, the same as the second begins with it, and OUT-full.onnx, the second's.
set -euo pipefail
if [[ $# -ne 3 ]]; then
  sed -n '2,10s/^# //p' "$0" >&2
  exit 2
fi
program=$(realpath "$1")
data=$(realpath "$2")
out=${3%.onnx}
for folder in unlabelled samples imagenet_samples flowers; do
  [[ -d $data/$folder ]] || { echo "$data/$folder: there is no such folder" >&2; exit 3; }
done
if [[ -e $out.onnx && ! -d $out-full-run ]]; then
  echo "$out.onnx: is there already; move it away" >&2
  exit 2
fi
mapfile -t half < <(find "$data/imagenet_samples" -type f -iname '*.jp*g' | LC_ALL=C sort | sed -n 'n;p')
((${#half[@]})) || { echo "$data/imagenet_samples: holds no JPEG pictures" >&2; exit 3; }

# round NAME OPTION...: the whole of it, what is left of it, or nothing where it is done.
round() {
  local name=$1
  shift
  if [[ -d $name-run.unfinished ]]; then
    "$program" distill --resume "$name.onnx"
  elif [[ ! -d $name-run ]]; then
    "$program" distill --teacher mobilenet_v2_1.0_224 "$data/unlabelled" "$data/samples" "${half[@]}" \
      --lr 0.005 --look-every 20 --probe "$data/flowers" --out "$name.onnx" "$@"
  fi
}

# compacted FROM TO: anew where FROM is newer.
compacted() {
  [[ -e $2 && ! $1 -nt $2 ]] || "$program" compact --overwrite "$1" --out "$2"
}

round "$out-first" --student mobilenet_v2_0.35_128 --epochs 430
compacted "$out-first.onnx" "$out-compact.onnx"
round "$out-full" --student "$out-compact.onnx" --sample-drawn 500 --epochs 400 --seed 1
compacted "$out-full.onnx" "$out.onnx"
