#!/usr/bin/python3
"""Fine-tunes MobileNetV2 to a folder of pictures (one folder per class) in PyTorch and judges it by cross-validation.

The whole network is trained: AdamW, cosine schedule, random resized crops and flips, batch norm by its moving statistics.
Every fold starts from the pre-trained weights, and its held-out pictures are judged once, after the last epoch, on their
centre square. The last line of output is JSON. See README.md.
"""

from tuned_allocator import use_tuned_allocator

if __name__ == "__main__":
    use_tuned_allocator()

import time

START = time.perf_counter()

import argparse
import json
import math
import os
import random
import resource
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from torch_mobilenet_v2 import MobileNetV2, load_keras

SIDE = 224
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def parse():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="pictures, one folder per class")
    arguments.add_argument("--weights", required=True, help="Keras HDF5 weights of MobileNetV2 1.0/224")
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--rate", type=float, default=1e-4)
    arguments.add_argument("--folds", type=int, default=5)
    arguments.add_argument("--limit-folds", type=int, help="run only so many of the folds")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    arguments.add_argument("--workers", type=int, default=1, help="processes that decode pictures ahead; 0: none")
    return arguments.parse_args()


# ---- pictures

def find_pictures(folder):
    """[(path, class index)] and class names, both in order of name."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    pictures = [(path, index) for index, name in enumerate(names)
                for path in sorted((folder / name).iterdir()) if path.suffix.lower() in ENDINGS]
    return pictures, names


def stratified_folds(labels, folds, seed):
    """The fold of each picture: every class is shuffled and dealt out in turn."""
    generator, assigned, dealt = random.Random(seed), [0] * len(labels), 0
    for label in sorted(set(labels)):
        members = [i for i, other in enumerate(labels) if other == label]
        generator.shuffle(members)
        for i in members:
            assigned[i] = dealt % folds
            dealt += 1
    return assigned


def random_crop(width, height, generator, scale=(0.35, 1.0), ratio=(3 / 4, 4 / 3)):
    """A box of random area and shape inside the picture, as torchvision's RandomResizedCrop has it."""
    for _ in range(10):
        area = width * height * generator.uniform(*scale)
        shape = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < w <= width and 0 < h <= height:
            left, top = generator.randint(0, width - w), generator.randint(0, height - h)
            return left, top, left + w, top + h
    return centre_square(width, height)


def centre_square(width, height):
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


class Pictures(Dataset):
    """Pairs of a picture [3,224,224] in [-1,1] and its class."""

    def __init__(self, pictures, augment):
        self.pictures, self.augment = pictures, augment

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        path, label = self.pictures[index]
        with Image.open(path) as file:
            file.draft("RGB", (2 * SIDE, 2 * SIDE))  # large JPEGs are decoded at a half or a quarter
            image = ImageOps.exif_transpose(file).convert("RGB")
        if self.augment:
            generator = random.Random(torch.randint(1 << 62, (1,)).item())
            image = image.resize((SIDE, SIDE), Image.BILINEAR, box=random_crop(*image.size, generator))
            if generator.random() < 0.5:
                image = ImageOps.mirror(image)
        else:
            image = image.resize((SIDE, SIDE), Image.BILINEAR, box=centre_square(*image.size))
        return torch.from_numpy(np.asarray(image, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1), label


# ---- training

def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def train(model, pictures, options):
    model.train_with_frozen_batch_norm()
    loader = DataLoader(Pictures(pictures, augment=True), options.batch, shuffle=True, num_workers=options.workers,
                        persistent_workers=options.workers > 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * len(loader))
    for epoch in range(options.epochs):
        total = 0.0
        for x, labels in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(channels_last(x)), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(labels)
        print(f"  epoch {epoch + 1} of {options.epochs}: loss {total / len(pictures):.4f}", flush=True)


@torch.no_grad()
def count_right(model, pictures, options):
    model.eval()
    loader = DataLoader(Pictures(pictures, augment=False), options.batch, num_workers=options.workers)
    return sum((model(channels_last(x)).argmax(1) == labels).sum().item() for x, labels in loader)


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    pictures, names = find_pictures(options.folder)
    fold_of = stratified_folds([label for _, label in pictures], options.folds, options.seed)
    print(f"{len(pictures)} pictures of {len(names)} classes: {', '.join(names)}")
    right = judged = 0
    for fold in range(options.limit_folds or options.folds):
        start = time.perf_counter()
        torch.manual_seed(options.seed + fold)
        held_out = [picture for picture, f in zip(pictures, fold_of) if f == fold]
        kept = [picture for picture, f in zip(pictures, fold_of) if f != fold]
        model = MobileNetV2(len(names), dropout=0.2)
        load_keras(model, options.weights)
        model = model.to(memory_format=torch.channels_last)
        train(model, kept, options)
        hits = count_right(model, held_out, options)
        right, judged = right + hits, judged + len(held_out)
        print(f"fold {fold + 1} of {options.folds}: {hits} of {len(held_out)} right, {100 * hits / len(held_out):.1f} %, "
              f"{time.perf_counter() - start:.1f} s", flush=True)
    seconds = time.perf_counter() - START
    print(f"accuracy {100 * right / judged:.1f} % (n = {judged}), {seconds:.1f} s in all")
    print(json.dumps({"accuracy": round(right / judged, 4), "n": judged, "seconds": round(seconds, 1),
                      "folds": options.limit_folds or options.folds, "epochs": options.epochs,
                      "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                      "torch": torch.__version__, "threads": options.threads, "workers": options.workers}))


if __name__ == "__main__":
    main()
