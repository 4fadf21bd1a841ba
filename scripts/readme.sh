#!/usr/bin/env bash
# The commands in README.md's ```console blocks, run for real: scripts/readme.sh check|write ENGRAFT
# check compares what they print with what README.md says, numbers aside (they differ a little from CPU to CPU);
# write puts what they print into README.md. Only standard output counts. Exit code 77: no weights here, skipped.
set -euo pipefail
mode=$1
engraft=$(realpath "$2")
readme=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/photos"
ln -s "$engraft" "$work/bin/engraft"
export PATH=$work/bin:$PATH ENGRAFT_OFFLINE=1 XDG_CACHE_HOME=$work/cache

if ! "$engraft" sample "$work/probe" --count 2 2>/dev/null || ! "$engraft" classify --model mobilenet_v2_1.0_224 "$work/probe" >/dev/null 2>&1; then
  echo "skipped: the pre-trained weights are not here (set ENGRAFT_MODELS)"
  exit 77
fi

# README.md with the output of each command in place of the one it has.
run_blocks() {
  local line in_block=no
  cd "$work"
  while IFS= read -r line; do
    if [[ $line == '```console' ]]; then
      in_block=yes
    elif [[ $line == '```' ]]; then
      in_block=no
    elif [[ $in_block == yes ]]; then
      if [[ $line == '$ '* ]]; then
        printf '%s\n' "$line"
        bash -c "${line#'$ '}" 2>stderr || { cat stderr >&2; exit 1; }
      fi
      continue
    fi
    printf '%s\n' "$line"
  done <"$readme"
}

# Numbers become N, bars and blanks shrink, and which mistakes were made does not matter.
normalise() { sed -E 's/[0-9]+([.,][0-9]+)?/N/g; s/ +/ /g; s/^ //' "$1" | grep -vE '^N [^%]* taken for |^Mistakes:|^No mistakes|kept$'; }

run_blocks >"$work/fresh.md"
if [[ $mode == write ]]; then
  cp "$work/fresh.md" "$readme"
else
  diff <(normalise "$readme") <(normalise "$work/fresh.md") && echo "README.md says what engraft prints"
fi
