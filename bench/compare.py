#!/usr/bin/python3
"""engraft beside other frameworks, one after the other in every round on this machine: compare.py BIN [--quick|--shapes]

BIN is the folder of the benchmark programs (./dev bench builds them and calls this). A peer that is not installed is left
out, with a word on how to add it. Printed are medians over the rounds and their ratios; a JSON file of it all is written to
bench/results. The last line is one JSON object:
  throughput_vs_onnxruntime  pictures a second of many pictures on all cores; ONNX Runtime at its best batch size
  latency1_vs_onnxruntime    time of one picture on one thread; below 1, engraft is faster
  latency2_vs_onnxruntime    the same on two threads
  fma_peak_share             share of the multiply-adds that all cores were measured to do
  finetune_vs_pytorch        pictures a second of a full training step, batch 32, batch norm frozen
  int8_vs_fp32               pictures a second of many pictures in 8-bit integers, by those in floats

--shapes compares other widths and sizes instead: see shapes.py.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

import shapes
from frameworks import Engraft, OnnxRuntime, PyTorch, processor, write_results

def median_of(rounds, who, key):
    values = [r[who][key] for r in rounds if who in r]
    return statistics.median(values) if values else None


def ratio(rounds, key, ours, theirs):
    values = [r[ours][key] / r[theirs][key] for r in rounds if ours in r and theirs in r]
    return round(statistics.median(values), 3) if values else None


def measure(options, programs, cores):
    """One dict a round: of each who took part, what was measured."""
    engraft = Engraft(programs, cores)
    onnxruntime = OnnxRuntime(programs.parent / "peers", programs, cores)
    pytorch = PyTorch(cores)
    for peer in (onnxruntime, pytorch):
        if not peer.ready:
            print(f"{peer.name} is left out: {peer.absent}")
    seconds, batches, steps = (0.8, (1, 2), 3) if options.quick else (2, (1, 2, 4, 8, 16, 32), 12)
    rounds = []
    for number in range(2 if options.quick else options.rounds or 5):
        floats, integers = engraft.engine()
        found = {"engraft": floats, "engraft int8": integers, "engraft training": engraft.training()}
        if onnxruntime.ready:
            found["onnxruntime"] = onnxruntime.engine(batches, seconds)
        if pytorch.ready:
            found["pytorch training"] = pytorch.training(steps)
            if not options.quick:
                found["pytorch"] = pytorch.engine((4, 8, 16, 32), seconds)
        rounds.append(found)
        print(f"round {number + 1}: " + ", ".join(f"{who} {values['many']:.0f}/s" for who, values in found.items()))
    return rounds


def summary_of(rounds):
    def value(who, key):
        return median_of(rounds, who, key)
    share = value("engraft", "peak_share")
    return {
        "throughput_vs_onnxruntime": ratio(rounds, "many", "engraft", "onnxruntime"),
        "latency1_vs_onnxruntime": ratio(rounds, "one_1", "engraft", "onnxruntime"),
        "latency2_vs_onnxruntime": ratio(rounds, "one_2", "engraft", "onnxruntime"),
        "fma_peak_share": round(share, 3),
        "finetune_vs_pytorch": ratio(rounds, "many", "engraft training", "pytorch training"),
        "int8_vs_fp32": ratio(rounds, "many", "engraft int8", "engraft"),
    }


def print_table(rounds, cores):
    print(f"\n{processor()}, {cores} cores, medians of {len(rounds)} rounds")
    print(f"{'inference, 1.0 at 224':24}{'many pictures':>16}{'one, 1 thread':>16}{'one, 2 threads':>16}")
    for who in ("engraft", "engraft int8", "onnxruntime", "pytorch"):
        if any(who in r for r in rounds):
            print(f"{who:24}{median_of(rounds, who, 'many'):14.0f}/s{median_of(rounds, who, 'one_1'):13.2f} ms"
                  f"{median_of(rounds, who, 'one_2'):13.2f} ms")
    print(f"{'training step, batch 32':24}{'pictures':>16}{'peak memory':>16}")
    for who in ("engraft training", "pytorch training"):
        if any(who in r for r in rounds):
            print(f"{who.split()[0]:24}{median_of(rounds, who, 'many'):14.0f}/s{median_of(rounds, who, 'peak_mb'):13.0f} MB")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("programs", type=Path, help="folder of the benchmark programs")
    arguments.add_argument("--quick", action="store_true", help="two short rounds, within a minute")
    arguments.add_argument("--shapes", action="store_true", help="other widths and sizes, and oneDNN's primitives")
    arguments.add_argument("--rounds", type=int, help="default: 5, of --shapes 3")
    options = arguments.parse_args()
    cores = len(os.sched_getaffinity(0))
    if options.shapes:
        return shapes.compare(options.programs.resolve(), cores, options.rounds or 3)
    rounds = measure(options, options.programs.resolve(), cores)
    print_table(rounds, cores)
    summary = summary_of(rounds)
    write_results("", {"processor": processor(), "cores": cores, "summary": summary, "rounds": rounds})
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
