#!/usr/bin/python3
"""Trains a head on a frozen MobileNetV2 in PyTorch: pictures in one folder, a CSV of file name and label beside it.

Without --cache-features as the tutorials do: each of ten epochs takes every picture through the base again. With it the base
sees each picture once. Dropout and a dense layer on the pooled features, RMSprop at 1e-3, a fifth held out. The base is traced
and optimised for inference; batches of 8, its fastest. The last line of output is JSON: seconds, of the whole program, and
accuracy on what was held out. See README.md.
"""

from tuned_allocator import use_tuned_allocator

if __name__ == "__main__":
    use_tuned_allocator()

import time

START = time.perf_counter()

import argparse
import csv
import json
import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from torch_finetune import Pictures, channels_last, stratified_folds
from torch_mobilenet_v2 import MobileNetV2, load_keras


class Base(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.features = network.features

    def forward(self, x):
        return self.features(x).mean((2, 3))


def read_table(folder, table):
    with open(folder / table, newline="") as file:
        rows = list(csv.DictReader(file))
    found = {path.name: path for path in sorted(folder.rglob("*")) if path.is_file()}
    names = sorted({row["label"] for row in rows})
    rows = [row for row in rows if row["filename"] in found]
    return [(found[row["filename"]], names.index(row["label"])) for row in rows], names


def frozen_base(weights):
    network = MobileNetV2(2)
    load_keras(network, weights)
    base = Base(network).eval().to(memory_format=torch.channels_last)
    example = channels_last(torch.zeros(8, 3, 224, 224))
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(base, example)))


def batches(pictures, shuffle, workers):
    return DataLoader(Pictures(pictures, augment=False), 8, shuffle=shuffle, num_workers=workers,
                      persistent_workers=workers > 0)


def features_of(base, loader):
    parts, labels = [], []
    with torch.inference_mode():
        for x, y in loader:
            parts.append(base(channels_last(x)))
            labels.append(y)
    return torch.cat(parts).clone(), torch.cat(labels)


def step(head, optimizer, features, labels):
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(head(features), labels).backward()
    optimizer.step()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--table", default="metadata.csv", help="columns filename and label")
    arguments.add_argument("--weights", required=True, help="Keras HDF5 weights of MobileNetV2 1.0/224")
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--cache-features", action="store_true")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    arguments.add_argument("--workers", type=int, default=1, help="processes that decode pictures ahead; 0: none")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    pictures, names = read_table(options.folder, options.table)
    fold = stratified_folds([label for _, label in pictures], 5, 1)
    held = [p for p, f in zip(pictures, fold) if f == 0]
    kept = [p for p, f in zip(pictures, fold) if f != 0]
    base = frozen_base(options.weights)
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, len(names)))
    optimizer = torch.optim.RMSprop(head.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    train_loader, held_loader = batches(kept, True, options.workers), batches(held, False, options.workers)
    if options.cache_features:
        features, labels = features_of(base, train_loader)
    for _ in range(options.epochs):
        if options.cache_features:
            for part in torch.randperm(len(features)).split(32):
                step(head, optimizer, features[part], labels[part])
        else:
            for x, y in train_loader:
                with torch.no_grad():
                    found = base(channels_last(x))
                step(head, optimizer, found, y)
    head.eval()
    features, labels = features_of(base, held_loader)
    with torch.no_grad():
        right = (head(features).argmax(1) == labels).sum().item()
    print(json.dumps({"seconds": round(time.perf_counter() - START, 2), "accuracy": round(right / len(held), 4),
                      "n": len(held), "cached": options.cache_features, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
