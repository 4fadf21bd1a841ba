#!/usr/bin/python3
"""Times MobileNetV2 1.0/224 with 1000 classes in PyTorch: float32, channels-last, torch.jit's optimize_for_inference.

The last line of output is JSON: ms of one run (the median) and pictures a second. See README.md.
"""

from tuned_allocator import use_tuned_allocator

if __name__ == "__main__":
    use_tuned_allocator()

import argparse
import json
import os
import statistics
import time

import torch

from torch_mobilenet_v2 import MobileNetV2


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    arguments.add_argument("--seconds", type=float, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = MobileNetV2(1000, tf_padding=False).eval().to(memory_format=torch.channels_last)
    pictures = torch.rand(options.batch, 3, 224, 224) * 2 - 1
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, pictures)))
        for _ in range(4):
            model(pictures)
        end = time.perf_counter() + options.seconds
        while time.perf_counter() < end or len(times) < 5:
            start = time.perf_counter()
            model(pictures)
            times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    print(json.dumps({"ms": round(1000 * seconds, 3), "pictures_per_second": round(options.batch / seconds, 1),
                      "threads": options.threads, "batch": options.batch, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
