#!/usr/bin/env bash
# The two scenarios that engraft is for: scripts/demo.sh ENGRAFT [DATA_DIR]
# DATA_DIR holds pictures and a labels.csv or metadata.csv (file name and label), or one folder per class. Without it
# engraft draws a set of clean and dirty plates.
set -euo pipefail
engraft=$1
data=${2:-}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if [[ -z $data ]]; then
  data=build/demo/plates
  if [[ ! -e $data/labels.csv ]]; then
    say "Drawing pictures of clean and dirty plates"
    rm -rf "$data"
    "$engraft" sample "$data"
  fi
fi

arguments=()
for csv in labels.csv metadata.csv; do
  if [[ -e $data/$csv ]]; then
    arguments=(--labels "$csv")
    # Labels 0 and 1 have no names of their own: 0 is clean, 1 is dirty.
    if tail -n +2 "$data/$csv" | grep -qE '[,;\t]"?[01]"?\r?$'; then arguments+=(--class-names clean,dirty); fi
    break
  fi
done

clean_picture() {
  { find "$data" -type f -iname '*clean*.jpg' | sort; find "$data" -type f -iname '*.jpg' | sort; } | sed -n 1p
}

say "1. Warm-up: what does the pre-trained network see in a clean scene?"
"$engraft" classify "$(clean_picture)"

say "2. Transfer: retrain it to the classes of $data"
"$engraft" train "$data" "${arguments[@]}"

run=runs/$(basename "$(realpath "$data")")
say "Done"
echo "The report: $(realpath "$run/report.html")"
echo "Try it:     $engraft classify --model $run/model.onnx YOUR_PICTURES"
