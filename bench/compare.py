#!/usr/bin/python3
"""engraft beside other frameworks, one after the other in every round on this machine: compare.py BIN [--quick]

BIN is the folder of the benchmark programs (./dev bench builds them and calls this). A peer that is not installed is left
out, with a word on how to add it. Printed are medians over the rounds and their ratios; a JSON file of it all is written to
bench/results. The last line is one JSON object:
  throughput_vs_onnxruntime  pictures a second of many pictures on all cores; ONNX Runtime at its best batch size
  latency1_vs_onnxruntime    time of one picture on one thread; below 1, engraft is faster
  latency2_vs_onnxruntime    the same on two threads
  fma_peak_share             share of the multiply-adds that all cores were measured to do
  finetune_vs_pytorch        pictures a second of a full training step, batch 32, batch norm frozen
  int8_vs_fp32               pictures a second of many pictures in 8-bit integers, by those in floats
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TUNED = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
}


def run(command, cwd=None, extra=None):
    """Standard output of a command; an error stops everything with what it said."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **(extra or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


class Engraft:
    def __init__(self, programs, cores):
        self.programs, self.cores = programs, cores

    def engine(self):
        """In floats and in 8-bit integers."""
        wanted = f"^(classification(_int8)?/threads:{self.cores}|single_picture(_int8)?/threads:[12])/"
        found = json.loads(run([self.programs / "bench_engine", f"--benchmark_filter={wanted}",
                                "--benchmark_format=json"]))["benchmarks"]
        by_name = {entry["name"].rsplit("/", 1)[0]: entry for entry in found}
        many = by_name[f"classification/threads:{self.cores}"]
        return {
            "many": many["pictures/s"],
            "peak_share": many["%_of_peak"] / 100,
            "one_1": 1000 / by_name["single_picture/threads:1"]["pictures/s"],
            "one_2": 1000 / by_name["single_picture/threads:2"]["pictures/s"],
        }, {
            "many": by_name[f"classification_int8/threads:{self.cores}"]["pictures/s"],
            "one_1": 1000 / by_name["single_picture_int8/threads:1"]["pictures/s"],
            "one_2": 1000 / by_name["single_picture_int8/threads:2"]["pictures/s"],
        }

    def training(self):
        wanted = f"training_step/frozen/threads:{self.cores}/micro_batch:4/"
        found = json.loads(run([self.programs / "bench_training", f"--benchmark_filter={wanted}",
                                "--benchmark_format=json"]))["benchmarks"][0]
        return {"many": found["pictures/s"], "peak_mb": found["peak_MB"]}


class OnnxRuntime:
    name = "ONNX Runtime"
    absent = "npm is needed: apt-get install npm"

    def __init__(self, folder, programs, cores):
        self.folder, self.cores = folder, cores
        self.ready = shutil.which("npm") is not None and shutil.which("node") is not None
        if not self.ready:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "node_modules" / "onnxruntime-node").exists():
            shutil.copy(HERE.parent / "tests" / "onnxruntime" / "package.json", folder)
            install = ["npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            if subprocess.run(install, cwd=folder).returncode != 0:
                self.ready, self.absent = False, "onnxruntime-node cannot be installed here"
                return
        self.model = folder / "network.onnx"
        run([programs / "write_network", self.model])

    def time(self, threads, batch, seconds):
        command = ["node", HERE / "peers" / "onnxruntime_inference.mjs", self.model, "--threads", threads,
                   "--batch", batch, "--seconds", seconds]
        return last_json(run(command, cwd=self.folder, extra=TUNED))

    def engine(self, batches, seconds):
        many = {batch: self.time(self.cores, batch, seconds)["pictures_per_second"] for batch in batches}
        return {"many": max(many.values()), "best_batch": max(many, key=many.get),
                "one_1": self.time(1, 1, seconds)["ms"], "one_2": self.time(2, 1, seconds)["ms"]}


class PyTorch:
    name = "PyTorch"
    absent = "apt-get install python3-torch"

    def __init__(self, cores):
        self.cores = cores
        self.ready = subprocess.run(["/usr/bin/python3", "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0

    def script(self, name, *arguments):
        return last_json(run(["/usr/bin/python3", HERE / "peers" / name, *arguments]))

    def engine(self, batches, seconds):
        def time(threads, batch):
            return self.script("torch_inference.py", "--threads", threads, "--batch", batch, "--seconds", seconds)
        many = {batch: time(self.cores, batch)["pictures_per_second"] for batch in batches}
        return {"many": max(many.values()), "best_batch": max(many, key=many.get),
                "one_1": time(1, 1)["ms"], "one_2": time(2, 1)["ms"]}

    def training(self, steps):
        found = self.script("torch_training_step.py", "--threads", self.cores, "--steps", steps)
        return {"many": found["pictures_per_second"], "peak_mb": found["peak_memory_mb"]}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


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
    for number in range(2 if options.quick else options.rounds):
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
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    cores = len(os.sched_getaffinity(0))
    rounds = measure(options, options.programs.resolve(), cores)
    print_table(rounds, cores)
    summary = summary_of(rounds)
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    results = HERE / "results" / f"{now}.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps({"processor": processor(), "cores": cores, "summary": summary, "rounds": rounds}, indent=1) + "\n")
    print(f"\nwritten to {results}")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
