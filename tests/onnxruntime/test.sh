#!/usr/bin/env bash
# ONNX Runtime opens model.onnx and agrees: test.sh ENGRAFT DUMP WORK_DIR [REFERENCE_DATA]
# On 50 street photos where the reference data is there, else on drawn plates. Exit code 77: skipped.
set -euo pipefail
engraft=$1 dump=$2 work=$3 reference=${4:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

mkdir -p "$work"
cd "$work"
cp "$here/package.json" .
if [[ ! -d node_modules/onnxruntime-node ]] && ! npm install --fetch-retries=0 --ignore-scripts --no-package-lock --no-audit --no-fund --silent; then
  echo "skipped: onnxruntime-node cannot be installed here"
  [[ -n ${CI:-} ]] && exit 1
  exit 77
fi

weights=$reference/models/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5
rm -rf run plates
if [[ -n $reference && -f $weights ]]; then
  "$engraft" train "$reference/data/streets" --labels metadata.csv --class-names clean,dirty --model "$weights" \
    --out run --no-cache >/dev/null
  mapfile -t pictures < <(find "$reference/data/streets/Images" -type f | sort | awk 'NR % 4 == 1' | head -n 50)
else
  "$engraft" sample plates --count 50
  "$dump" --random base.onnx
  "$engraft" train plates --labels labels.csv --model base.onnx --out run --no-cache >/dev/null
  mapfile -t pictures < <(find plates -name '*.jpg' | sort)
fi
"$dump" run/model.onnx . "${pictures[@]}"
node "$here/compare.mjs" run/model.onnx .
# A compact file, and the one that is part of the program.
"$engraft" compact run/model.onnx --out compact.onnx --overwrite
"$dump" compact.onnx . "${pictures[@]}"
node "$here/compare.mjs" compact.onnx .
"$dump" engraft-mini . "${pictures[@]}"
node "$here/compare.mjs" "$here/../../assets/engraft-mini.onnx" .
"$dump" --operators operators
node "$here/compare.mjs" operators/model.onnx operators
