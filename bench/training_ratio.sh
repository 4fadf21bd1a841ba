#!/usr/bin/env bash
# A full fine-tuning step of MobileNetV2 1.0/224, batches of 32, SGD with momentum: engraft and PyTorch in turn.
#     bench/training_ratio.sh BENCH_TRAINING [ROUNDS]
# BENCH_TRAINING: bin/bench_training of a Release build with -DENGRAFT_BENCH=ON. Each round (5, unless told otherwise) runs
# both once, with batch norm frozen and trainable; printed are the medians of the rounds, their ratio and the largest memory.
# Both take every core that the process may use (taskset -c 0,1 bench/training_ratio.sh …). Measure on a quiet machine.
set -euo pipefail
if [ $# -lt 1 ] || [ ! -x "$1" ]; then
  sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
engraft=$(realpath "$1")
rounds=${2:-5}
peers=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/peers
threads=$(nproc)
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
  echo "PyTorch is not installed for /usr/bin/python3; on Debian: apt-get install python3-torch" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One line each: pictures a second, peak memory in MB.
run_engraft() {
  "$engraft" --benchmark_filter="training_step/$1/threads:$threads/micro_batch:4/" --benchmark_format=json 2>/dev/null |
    /usr/bin/python3 -c 'import json, sys
b = json.load(sys.stdin)["benchmarks"][0]
print(b["pictures/s"], b["peak_MB"])'
}
run_torch() {
  "$peers/torch_training_step.py" --batch-norm "$1" --threads "$threads" 2>/dev/null | tail -n 1 |
    /usr/bin/python3 -c 'import json, sys
r = json.load(sys.stdin)
print(r["pictures_per_second"], r["peak_memory_mb"])'
}

for round in $(seq "$rounds"); do
  for mode in frozen trainable; do
    run_engraft "$mode" >>"$work/engraft.$mode"
    run_torch "$mode" >>"$work/torch.$mode"
    printf 'round %d of %d, batch norm %s: engraft %.1f, PyTorch %.1f pictures/s\n' "$round" "$rounds" "$mode" \
      "$(tail -n 1 "$work/engraft.$mode" | cut -d ' ' -f 1)" "$(tail -n 1 "$work/torch.$mode" | cut -d ' ' -f 1)"
  done
done

/usr/bin/python3 - "$work" <<'PYTHON'
import statistics, sys
print(f"\n{'batch norm':12}{'engraft':>16}{'PyTorch':>16}{'ratio':>8}{'peak memory (MB)':>28}")
for mode in ("frozen", "trainable"):
    rows = {}
    for name in ("engraft", "torch"):
        rows[name] = [tuple(map(float, line.split())) for line in open(f"{sys.argv[1]}/{name}.{mode}")]
    speed = {name: statistics.median(row[0] for row in of) for name, of in rows.items()}
    peak = {name: max(row[1] for row in of) for name, of in rows.items()}
    ratio = speed["engraft"] / speed["torch"]
    memory = f"{peak['engraft']:.0f} against {peak['torch']:.0f}"
    print(f"{mode:12}{speed['engraft']:10.1f} pic/s{speed['torch']:10.1f} pic/s{ratio:8.2f}{memory:>28}")
PYTHON
