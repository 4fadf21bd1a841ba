"""The programs that compare.py measures: engraft's own, and other frameworks'."""

import datetime
import json
import os
import shutil
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

    def shape(self, width, size):
        """Of engraft and of oneDNN's primitives, milliseconds of one_1, one_all and many (shapes_bench.cpp)."""
        found = json.loads(run([self.programs / "bench_shapes", f"--benchmark_filter=/{width:.2f}/{size}/",
                                "--benchmark_format=json"]))["benchmarks"]
        wrong = [entry for entry in found if entry.get("error_occurred")]
        if wrong:
            sys.exit(f"{wrong[0]['name']}: {wrong[0]['error_message']}")
        times = {}
        for entry in found:
            who, _, _, cell = entry["name"].split("/")[:4]
            times.setdefault(who, {})[cell] = entry["ms"]
        return times

    def training(self):
        wanted = f"training_step/frozen/threads:{self.cores}/micro_batch:4/"
        found = json.loads(run([self.programs / "bench_training", f"--benchmark_filter={wanted}",
                                "--benchmark_format=json"]))["benchmarks"][0]
        return {"many": found["pictures/s"], "peak_mb": found["peak_MB"]}


class OnnxRuntime:
    name = "ONNX Runtime"
    absent = "npm is needed: apt-get install npm"

    def __init__(self, folder, programs, cores):
        self.folder, self.programs, self.cores = folder, programs, cores
        self.written = set()  # networks of shape()
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

    def shape(self, width, size, many, seconds):
        """Milliseconds of one_1, one_all and many (peers/onnxruntime_shapes.mjs), without preprocessing."""
        model = self.folder / f"network_{width:.2f}_{size}.onnx"
        if model not in self.written:
            self.written.add(model)
            run([self.programs / "write_network", model, width, size, "normalised"])
        return last_json(run(["node", HERE / "peers" / "onnxruntime_shapes.mjs", model, "--size", size, "--cores",
                              self.cores, "--many", many, "--seconds", seconds], cwd=self.folder, extra=TUNED))

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


def write_results(suffix, found):
    """To bench/results/DATE + suffix + .json."""
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    results = HERE / "results" / f"{now}{suffix}.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nwritten to {results}")
