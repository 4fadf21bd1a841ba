#!/usr/bin/env bash
# The two scenarios that engraft is for: scripts/demo.sh ENGRAFT [DATA_DIR]
# DATA_DIR holds pictures and a labels.csv or metadata.csv (file name and label), or one folder per class. Without it
# engraft draws a set of clean and dirty plates.
set -euo pipefail
engraft=$1
data=${2:-build/demo/plates}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if (($# < 2)) && [[ ! -e $data/labels.csv ]]; then
  say "Drawing pictures of clean and dirty plates"
  rm -rf "$data"
  "$engraft" sample "$data"
fi
[[ -d $data ]] || { echo "$data: no such folder" >&2; exit 3; }

table=
for name in labels.csv metadata.csv; do
  [[ -z $table && -e $data/$name ]] && table=$name
done
arguments=()
if [[ -n $table ]]; then
  arguments=(--labels "$table")
  # Labels 0 and 1 have no names of their own: 0 is clean, 1 is dirty.
  zero_or_one=$'[,;\t] *"?[01]"? *\r?$'
  tail -n +2 "$data/$table" | grep -qvE "$zero_or_one" || arguments+=(--class-names "clean,dirty")
fi

# The first picture that the table or its folder calls clean; else the first picture.
clean_picture() {
  local clean=$'^"?([^",;\t]+)"?[,;\t] *"?(clean|0)"? *\r?$' name
  if [[ -n $table ]]; then
    name=$(sed -nE "s/$clean/\1/p" "$data/$table" | sort | head -n 1)
    [[ -z $name ]] || find "$data" -type f -path "*${name##*/}"
  fi
  find "$data" -type f -path '*/clean/*' | sort
  find "$data" -type f -regextype posix-extended -iregex '.*\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)' | sort
}

say "1. Warm-up: what does the pre-trained network see in a clean scene?"
"$engraft" classify "$(clean_picture | awk 'NR == 1')"

say "2. Transfer: retrain it to the classes of $data"
"$engraft" train "$data" "${arguments[@]}"

run=runs/$(basename "$(realpath "$data")")
say "Done"
echo "The report: $(realpath "$run/report.html")"
echo "Try it:     $engraft classify --model $run/model.onnx YOUR_PICTURES"
