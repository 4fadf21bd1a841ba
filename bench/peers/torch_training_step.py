#!/usr/bin/python3
"""Times a full fine-tuning step of MobileNetV2 1.0/224 in PyTorch: forward, backward, update. float32, channels-last.

The last line of output is JSON: pictures_per_second and ms (medians over the steps), peak_memory_mb of the process, torch.
See README.md.
"""

from tuned_allocator import use_tuned_allocator

if __name__ == "__main__":
    use_tuned_allocator()

import argparse
import json
import os
import resource
import statistics
import time

import torch
import torch.nn.functional as F

from torch_mobilenet_v2 import MobileNetV2, load_keras


def parse():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--size", type=int, default=224)
    arguments.add_argument("--classes", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    arguments.add_argument("--steps", type=int, default=15)
    arguments.add_argument("--warm-up", type=int, default=3)
    arguments.add_argument("--batch-norm", choices=["frozen", "trainable"], default="frozen")
    arguments.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    arguments.add_argument("--weights", help="Keras HDF5 weights; without: random ones, padded as torchvision does")
    return arguments.parse_args()


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = MobileNetV2(options.classes, tf_padding=options.weights is not None)
    if options.weights:
        load_keras(model, options.weights)
    model = model.to(memory_format=torch.channels_last)
    model.train() if options.batch_norm == "trainable" else model.train_with_frozen_batch_norm()
    if options.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    pictures = torch.rand(options.batch, 3, options.size, options.size) * 2 - 1
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(options.batch) % options.classes

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(pictures), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    times = []
    for i in range(options.warm_up + options.steps):
        start = time.perf_counter()
        loss = step()
        if i >= options.warm_up:
            times.append(time.perf_counter() - start)
    assert loss == loss, "the loss is not a number"
    seconds = statistics.median(times)
    print(json.dumps({
        "pictures_per_second": round(options.batch / seconds, 2),
        "ms": round(1000 * seconds, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "torch": torch.__version__,
        "threads": options.threads,
        "batch": options.batch,
        "batch_norm": options.batch_norm,
        "optimizer": options.optimizer,
    }))


if __name__ == "__main__":
    main()
