#!/usr/bin/env bash
# A run killed with SIGKILL, again and again, and resumed each time ends in the same bits as one that nobody disturbed:
#   kill_and_resume.sh ENGRAFT [KILLS [SEED]]
# KILLS moments (50) are shared by two runs: one from scratch, into an empty folder that is there before, and one that
# fine-tunes the first one's model with cross-validation, into the empty folder behind a link. Half of the moments are random; the others wait for something that takes only milliseconds: a
# checkpoint being written, the run folder being gathered, the run folder in place and its checkpoints not yet gone.
# Each resume has another number of threads. SEED makes the random moments repeatable, as far as the machine is.
set -euo pipefail
program=$(realpath "$1")
kills=${2:-50}
seed=${3:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((seed % 32768))
epochs=$((kills > 20 ? 16 : 5))  # with more moments, more to hit
echo "seed $seed"

work=$(mktemp -d)
child=
stop() {
  [[ -z $child ]] || kill -KILL "$child" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
cd "$work"
export XDG_CACHE_HOME=$work/cache ENGRAFT_OFFLINE=1

fail() {
  echo "FAILED: $*" >&2
  [[ ! -e said ]] || sed 's/^/  /' said >&2
  ls -AR runs >&2 || true
  exit 1
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# What each file of a run folder must have in common with that of another run: all but times.
expect_same() {
  local file
  for file in model.onnx last.onnx predictions.csv split.csv args.json augmented.png; do
    [[ -e $1/$file || -e $2/$file ]] || continue
    cmp "$1/$file" "$2/$file" || fail "$file differs from the undisturbed run's"
  done
  cmp <(sed 's/,[^,]*$//' "$1/results.csv") <(sed 's/,[^,]*$//' "$2/results.csv") || fail "results.csv differs"
}

# Waits until a file of one of those patterns is there, or the child has ended.
await() {
  until compgen -G "$1" >/dev/null || compgen -G "${2:-$1}" >/dev/null; do
    kill -0 "$child" 2>/dev/null || return 0
  done
}

# Kills the child at a moment of that kind.
strike() {
  case $1 in
    checkpoint) await 'runs/run.unfinished/.*.safetensors.*.part' ;;
    gathering)
      await 'runs/.run.*.part/*' 'runs/run/.run.*.part/*'
      sleep "0.$(printf %03d $((RANDOM % 120)))"
      ;;
    placed) await 'runs/run/args.json' ;;
    *)
      local ms=$((RANDOM % (undisturbed_ms * 2 / 3 + 50)))
      sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
      ;;
  esac
  kill -KILL "$child" 2>/dev/null || true
}

# In which phase the child was, from what it left.
phase_left() {
  if [[ -e runs/run/results.csv && ! -e runs/run.unfinished ]]; then
    echo "complete"
  elif [[ -e runs/run/results.csv ]]; then
    echo "run folder in place, checkpoints still there"
  elif [[ -e runs/run/args.json ]]; then
    echo "run folder half in place"
  elif compgen -G 'runs/run.unfinished/.*.safetensors.*.part' >/dev/null; then
    echo "writing a checkpoint"
  elif compgen -G 'runs/.run.*.part/*' >/dev/null || compgen -G 'runs/run/.run.*.part/*' >/dev/null; then
    echo "gathering the run folder"
  elif compgen -G 'runs/run.unfinished/*.safetensors' >/dev/null; then
    echo "training, with a checkpoint"
  elif [[ -e runs/run.unfinished/plan.json ]]; then
    echo "training, without a checkpoint"
  elif [[ -e runs/run.unfinished/command.json ]]; then
    echo "reading"
  else
    echo "starting"
  fi
}

kinds=(any checkpoint gathering placed any any)
declare -A hit
struck=0

# Starts the run, or goes on with it. An earlier process may have been killed before it could note what to go on with.
start() {
  local threads=$((1 + done_kills % 3))
  if [[ ! -e runs ]]; then  # the run's name is taken, by an empty folder
    mkdir -p runs target
    if [[ $place == link ]]; then ln -s ../target runs/run; else mkdir runs/run; fi
  fi
  if [[ -e runs/run.unfinished/command.json || -e runs/run/args.json ]]; then
    "$program" train --resume runs/run --threads $threads >said 2>&1 &
  else
    "$program" train "${arguments[@]}" --out runs/run --threads $threads >said 2>&1 &
  fi
  child=$!
}

# The run is over: nothing is left beside its folder, and that is as it should be.
accept() {
  [[ $(ls -A runs) == run ]] || fail "something is left beside the run folder"
  expect_same whole runs/run
  rm -rf runs cache target
  runs_done=$((runs_done + 1))
}

# scenario PLACE KILLS ARGUMENTS...: an undisturbed run, then that many kills of one into a PLACE: folder or link.
scenario() {
  local wanted=$2 began status kind
  place=$1
  shift 2
  arguments=("$@")
  rm -rf whole runs cache target
  began=$(now_ms)
  "$program" train "${arguments[@]}" --out whole --threads 2 >said 2>&1 || fail "the undisturbed run"
  undisturbed_ms=$(($(now_ms) - began))
  echo "engraft train ${arguments[*]}: $undisturbed_ms ms undisturbed"
  rm -rf cache
  done_kills=0
  runs_done=0
  while ((done_kills < wanted)) || [[ -e runs ]]; do
    start
    ((done_kills == wanted)) || strike "${kinds[struck % ${#kinds[@]}]}"
    status=0
    wait "$child" 2>/dev/null || status=$?
    child=
    if ((status == 137)); then
      done_kills=$((done_kills + 1)) struck=$((struck + 1))
      kind=$(phase_left)
      hit[$kind]=$((${hit[$kind]:-0} + 1))
      [[ $kind != complete ]] || accept
    elif ((status == 0)); then  # perhaps before the kill came
      accept
    else
      fail "exit code $status"
    fi
  done
  echo "  killed $done_kills times in $runs_done runs: same bits each time"
}

"$program" sample plates --count 40 --seed 5 >said 2>&1 || fail "no pictures"
scenario folder $((kills - kills / 2)) plates --labels labels.csv --checkpoint-every 0 --from-scratch --width 0.35 \
  --image-size 64 --tune-epochs $epochs --tune-batch 16 --mixup 0.2 --ema 0.9
cp whole/model.onnx base.onnx
scenario link $((kills / 2)) plates --labels labels.csv --checkpoint-every 0.1 --model base.onnx --fine-tune last --folds 2 \
  --tune-epochs $epochs --tune-batch 8 --epochs 5 --tensorboard
for phase in "${!hit[@]}"; do printf '%4d  %s\n' "${hit[$phase]}" "$phase"; done | sort -rn
