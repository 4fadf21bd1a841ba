#!/usr/bin/env bash
# Makes the small base network again that engraft carries: MobileNetV2 0.35 at 128 pixels, from random weights, taught by
# MobileNetV2 1.0 on pictures without labels.
#   make_base.sh ENGRAFT DATA OUT.onnx
# ENGRAFT: the program. DATA: a folder with unlabelled/, samples/, imagenet_samples/ and flowers/. Every second picture of
# imagenet_samples is left out, and flowers judges without being learnt from, as do all other sets. The weights of the
# teacher are looked for where `engraft models` says. The run may be stopped and called again: it goes on.
# EPOCHS (430) is its length: 1.5 million views of 3,500 pictures, an hour and a half on two cores. Longer is better.
set -euo pipefail
if [[ $# -ne 3 ]]; then
  sed -n '2,8s/^# //p' "$0" >&2
  exit 2
fi
program=$(realpath "$1")
data=$(realpath "$2")
out=$3
if [[ -d ${out%.onnx}-run.unfinished ]]; then
  exec "$program" distill --resume "$out"
fi
half=()
keep=
while IFS= read -r picture; do
  if [[ -n $keep ]]; then half+=("$picture") keep=; else keep=1; fi
done < <(find "$data/imagenet_samples" -type f -iname '*.jp*g' | LC_ALL=C sort)
exec "$program" distill --teacher mobilenet_v2_1.0_224 --student mobilenet_v2_0.35_128 \
  "$data/unlabelled" "$data/samples" "${half[@]}" \
  --epochs "${EPOCHS:-430}" --lr 0.005 --look-every 20 --probe "$data/flowers" --out "$out"
