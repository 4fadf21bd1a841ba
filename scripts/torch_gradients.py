#!/usr/bin/python3
"""Back-propagation through MobileNetV2 by PyTorch in float64: a golden that engraft is tested against.

    apt-get install python3-torch python3-h5py       (numpy comes with them)
    scripts/torch_gradients.py --weights mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5 \
        --pictures golden/input_u8_nhwc.npy --features golden/features_w1.0_f64.npy \
        --out tests/train/golden/torch_gradients.json

Needed to make the golden anew only: the tests read the JSON and need no Python. --check-float32 repeats everything in float32
and prints how far that is off, from which a test's tolerance can be judged.

The network is the one of src/engraft/graph/mobilenet_v2.cpp, parameter names and layouts included: kernels [kh,kw,Cin,Cout],
depthwise kernels [3,3,C], dense kernel [Cin,Cout]. TensorFlow's SAME padding (stride 2: none before, one after), batch norm
epsilon 1e-3 rounded to float32, ReLU6, global average pool, dense head without dropout, mean softmax cross-entropy over the
batch with smoothed targets t = (1-s) onehot + s/K.

Cases
    synthetic_frozen     width 0.35, 64 px, 8 pictures, 5 classes, labels i mod 5, s = 0. Batch norm by its moving statistics;
                         gamma and beta are trained.
    synthetic_trainable  the same, batch norm by the statistics of the batch: mean and biased variance over all 8 pictures.
    real_frozen          the Keras weights, width 1.0, 224 px, the 13 pictures of --pictures as x/127.5-1, 3 classes, labels
                         i mod 3, s = 0.1; the head is synthetic. Batch norm by its moving statistics.

Synthetic values. Streams of 64-bit numbers by name: key = FNV-1a(name) (64 bit, of the name's bytes), and
    stream(name)[i] = mix(key + (i+1) * 0x9E3779B97F4A7C15)      (mod 2^64: SplitMix64 from the seed `key`)
    mix(z): z = (z ^ z>>30) * 0xBF58476D1CE4E5B9; z = (z ^ z>>27) * 0x94D049BB133111EB; z ^ z>>31
    uniform(name)[i] = (2 * (stream(name)[i] >> 40) + 1 - 2^24) / 2^24      in (-1, 1), exact in float32
Parameter `name`, element i in row-major order: float32(centre + spread * uniform(name)[i]), the right side in IEEE double
without fused operations:
    kernel, depthwise_kernel  0     sqrt(5 / fan_in), fan_in = kh*kw*Cin, 9 for depthwise kernels
    the head's kernel         0     sqrt(0.5 / Cin)
    gamma                     2     0.5
    beta                      B     1; B = 0, in synthetic_trainable 2
    moving_mean               0     0.5
    moving_variance           4     1
    bias                      0     0.0625
So activations keep their scale through all blocks and ReLU6 clips on both sides. With the batch's statistics B = 2 keeps
gradients from growing layer by layer, as they do in a deep random network with batch norm.
Pictures [N,side,side,3] from a seed, whose decimal digits stand for S in the streams' names:
    p[n,y,x,c] = float32( uniform("pictures-S/colour")[3n + c] / 4
                        + uniform("pictures-S/block")[((n*B + y div 8)*B + x div 8)*3 + c] / 2         B = side div 8
                        + uniform("pictures-S/pixel")[((n*side + y)*side + x)*3 + c] / 4 )

The seeds are not the first best. An input of a ReLU6 that is nearer to 0 or 6 than float32 is exact may fall on the other
side there, which changes the gradients by about one in the square root of the number of activations, 1e-3, and hides errors
of that size. --find-seeds N takes, of the seeds 0..N-1, the one whose nearest such input is farthest off, in units of
float32's error at that layer; the ones in the script are of N = 1000. The real network's pictures are as they are: some of
their millions of inputs lie that near.

Layout of the JSON
    format, made_with {python, torch, numpy}, cases {name: {
      width, image_size, pictures, classes, label_smoothing, batch_norm, momentum, learning_rate,
      synthetic only: seed, beta_centre (S and B above), sha256 (of all parameters by name, then the pictures, as float32),
      trainable only: batch_norm_momentum,
      losses: [10]          loss before each step of SGD on the one batch, all parameters: v = momentum*v - rate*g; w += v
      gradients: {parameter: summary}           of the first loss
      moving: {parameter: summary}  (trainable) moving averages after ten steps, m = momentum*m + (1-momentum)*batch
    }}
    summary: [L2 norm, sum, three dot products, [first min(4,n) entries], [last min(2,n) entries]] of the n entries in
    row-major order, to 10 digits. Gradients that are zero by symmetry (with the batch's statistics, beta before a layer whose
    own batch norm takes the mean off) come out as rounding errors, some 1e-17. Dot product j = 0, 1, 2 is with the signs
    +1 where bit j of stream(name + "/signs")[i] is set, else -1.
"""

import argparse
import hashlib
import json
import platform
import sys
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

EPSILON = float(np.float32(1e-3))
STEPS = 10
MASK = (1 << 64) - 1


# ---- synthetic values

def stream(name, count):
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(name, count):
    top = (stream(name, count) >> np.uint64(40)).astype(np.int64)
    return (2 * top + 1 - (1 << 24)) / float(1 << 24)


def synthetic_parameter(name, shape, beta_centre):
    kind = name.rsplit("/", 1)[1]
    centre, spread = {"gamma": (2, 0.5), "beta": (beta_centre, 1), "moving_mean": (0, 0.5), "moving_variance": (4, 1),
                      "bias": (0, 0.0625)}.get(kind, (0, None))
    if spread is None:
        fan_in = 9 if kind == "depthwise_kernel" else int(np.prod(shape[:-1]))
        spread = float(np.sqrt((0.5 if len(shape) == 2 else 5.0) / fan_in))
    values = centre + spread * uniform(name, int(np.prod(shape)))
    return values.astype(np.float32).reshape(shape)


def synthetic_pictures(seed, count, side):
    blocks, name = side // 8, f"pictures-{seed}/"
    colour = uniform(name + "colour", count * 3).reshape(count, 1, 1, 3)
    block = uniform(name + "block", count * blocks * blocks * 3).reshape(count, blocks, blocks, 3)
    pixel = uniform(name + "pixel", count * side * side * 3).reshape(count, side, side, 3)
    pictures = colour / 4 + block.repeat(8, axis=1).repeat(8, axis=2) / 2 + pixel / 4
    return pictures.astype(np.float32)


# ---- the network

def make_divisible(v):
    n = max(8, int(v + 4) // 8 * 8)
    return n + 8 if n < 0.9 * v else n


def blocks(width):
    """(name prefix, expansion, channels in, channels out, stride) of each inverted residual."""
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    channels, result = make_divisible(32 * width), []
    for t, c, n, s in rows:
        for i in range(n):
            out = make_divisible(int(c * width))
            prefix = f"block_{len(result)}_" if result else "expanded_conv_"
            result.append((prefix, t, channels, out, s if i == 0 else 1))
            channels = out
    return result


def parameter_shapes(width, classes):
    shapes = {}

    def layer(name, kernel, shape, norm):
        shapes[f"{name}/{kernel}"] = shape
        for kind in ("gamma", "beta", "moving_mean", "moving_variance"):
            shapes[f"{norm}/{kind}"] = (shape[-1],)

    layer("Conv1", "kernel", (3, 3, 3, make_divisible(32 * width)), "bn_Conv1")
    for p, t, channels, out, _ in blocks(width):
        if t > 1:
            layer(p + "expand", "kernel", (1, 1, channels, channels * t), p + "expand_BN")
        layer(p + "depthwise", "depthwise_kernel", (3, 3, channels * t), p + "depthwise_BN")
        layer(p + "project", "kernel", (1, 1, channels * t, out), p + "project_BN")
    last = make_divisible(1280 * max(1.0, width))
    layer("Conv_1", "kernel", (1, 1, out, last), "Conv_1_bn")
    shapes["predictions/kernel"] = (last, classes)
    shapes["predictions/bias"] = (classes,)
    return shapes


class Network:
    """parameters: name -> tensor in engraft's layout. batch: (mean, biased variance) of the last forward, by layer."""

    def __init__(self, width, parameters, batch_norm):
        self.width, self.p, self.batch_norm, self.batch = width, parameters, batch_norm, {}
        self.observe = lambda name, x: None

    def conv(self, name, x, stride=1):
        kernel = self.p[name + "/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(self.pad(x, kernel.shape[-1], stride), kernel, stride=stride)

    def depthwise(self, name, x, stride):
        kernel = self.p[name + "/depthwise_kernel"].permute(2, 0, 1).unsqueeze(1)
        return F.conv2d(self.pad(x, 3, stride), kernel, stride=stride, groups=x.shape[1])

    @staticmethod
    def pad(x, kernel, stride):
        if kernel == 1:
            return x
        assert x.shape[2] % 2 == 0 or stride == 1
        return F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))

    def norm(self, name, x):
        gamma, beta = self.p[name + "/gamma"], self.p[name + "/beta"]
        if self.batch_norm == "trainable":
            with torch.no_grad():
                self.batch[name] = (x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False))
            return F.batch_norm(x, None, None, gamma, beta, training=True, eps=EPSILON)
        return F.batch_norm(x, self.p[name + "/moving_mean"], self.p[name + "/moving_variance"], gamma, beta,
                            training=False, eps=EPSILON)

    def relu6(self, name, x):
        self.observe(name, x)
        return F.relu6(x)

    def features(self, x):
        x = self.relu6("Conv1_relu", self.norm("bn_Conv1", self.conv("Conv1", x, 2)))
        for p, t, channels, out, stride in blocks(self.width):
            y = x
            if t > 1:
                y = self.relu6(p + "expand_relu", self.norm(p + "expand_BN", self.conv(p + "expand", y)))
            y = self.relu6(p + "depthwise_relu", self.norm(p + "depthwise_BN", self.depthwise(p + "depthwise", y, stride)))
            y = self.norm(p + "project_BN", self.conv(p + "project", y))
            x = x + y if stride == 1 and channels == out else y
        x = self.relu6("out_relu", self.norm("Conv_1_bn", self.conv("Conv_1", x)))
        return x.mean((2, 3))

    def logits(self, x):
        return self.features(x) @ self.p["predictions/kernel"] + self.p["predictions/bias"]


# ---- cases

@dataclass
class Case:
    width: float
    pictures: np.ndarray  # [N,H,W,3]
    classes: int
    parameters: dict
    batch_norm: str
    learning_rate: float
    label_smoothing: float = 0.0
    momentum: float = 0.9
    batch_norm_momentum: float = 0.99
    seed: int = None             # of the pictures
    beta_centre: int = 0
    features: np.ndarray = None  # what the pooled features must be


def synthetic_case(batch_norm, seed, beta_centre, learning_rate):
    shapes = parameter_shapes(0.35, 5)
    return Case(width=0.35, pictures=synthetic_pictures(seed, 8, 64), seed=seed, classes=5, batch_norm=batch_norm,
                parameters={name: synthetic_parameter(name, shape, beta_centre) for name, shape in shapes.items()},
                beta_centre=beta_centre, learning_rate=learning_rate)


def real_case(weights, pictures, features):
    import h5py
    parameters = {}
    with h5py.File(weights, "r") as file:
        for name, shape in parameter_shapes(1.0, 3).items():
            layer = name.split("/")[0]
            if layer == "predictions":
                parameters[name] = synthetic_parameter(name, shape, beta_centre=0)
            else:
                parameters[name] = np.array(file[f"{layer}/{name}:0"], dtype=np.float32).reshape(shape)
    pixels = np.load(pictures)
    return Case(width=1.0, pictures=(pixels / 127.5 - 1).astype(np.float32), classes=3, parameters=parameters,
                batch_norm="frozen", learning_rate=0.0003, label_smoothing=0.1,
                features=np.load(features) if features else None)


def run(case, dtype, observe=None):
    """Losses, gradients of the first loss and, with trainable batch norm, the moving averages at the end."""
    parameters = {name: torch.tensor(value, dtype=dtype) for name, value in case.parameters.items()}
    trained = {name: value.requires_grad_() for name, value in parameters.items() if "/moving_" not in name}
    network = Network(case.width, parameters, case.batch_norm)
    x = torch.tensor(case.pictures, dtype=dtype).permute(0, 3, 1, 2).contiguous()
    labels = torch.arange(len(case.pictures)) % case.classes
    velocity = {name: torch.zeros_like(value) for name, value in trained.items()}
    losses, gradients = [], {}
    for step in range(STEPS):
        network.observe = observe if observe and step == 0 else (lambda name, value: None)
        loss = F.cross_entropy(network.logits(x), labels, label_smoothing=case.label_smoothing)
        losses.append(loss.item())
        found = dict(zip(trained, torch.autograd.grad(loss, list(trained.values()))))
        gradients = gradients or found
        with torch.no_grad():
            for name, value in trained.items():
                velocity[name] = case.momentum * velocity[name] - case.learning_rate * found[name]
                value += velocity[name]
            for name, statistics in network.batch.items():
                for kind, value in zip(("moving_mean", "moving_variance"), statistics):
                    moving = parameters[f"{name}/{kind}"]
                    moving += (1 - case.batch_norm_momentum) * (value - moving)
    to_numpy = lambda values: {name: value.detach().double().numpy().ravel() for name, value in values.items()}
    moving = {name: value for name, value in parameters.items() if "/moving_" in name}
    return losses, to_numpy(gradients), to_numpy(moving) if case.batch_norm == "trainable" else None


def forward(case, dtype, observe=lambda name, x: None):
    parameters = {name: torch.tensor(value, dtype=dtype) for name, value in case.parameters.items()}
    network = Network(case.width, parameters, case.batch_norm)
    network.observe = observe
    with torch.no_grad():
        return network.features(torch.tensor(case.pictures, dtype=dtype).permute(0, 3, 1, 2).contiguous())


def nearest_corner(case):
    """Smallest distance of a ReLU6's input to 0 or 6, over float32's root mean square error at that layer."""
    inputs, distances = {}, []
    forward(case, torch.float64, inputs.__setitem__)

    def compare(name, x):
        exact = inputs[name]
        error = (x.double() - exact).pow(2).mean().sqrt()
        distances.append((torch.minimum(exact.abs(), (exact - 6).abs()).min() / error).item())

    forward(case, torch.float32, compare)
    return min(distances)


def find_seed(case, count):
    distance = {}
    for seed in range(count):
        case.pictures = synthetic_pictures(seed, len(case.pictures), case.pictures.shape[1])
        distance[seed] = nearest_corner(case)
    best = max(distance, key=distance.get)
    return best, distance[best]


def check_features(case):
    difference = np.abs(forward(case, torch.float64).numpy() - case.features)
    print(f"features: mean absolute difference {difference.mean():.2e}, largest {difference.max():.2e}", file=sys.stderr)
    if not difference.mean() < 1e-6:
        sys.exit("the features are not those of the golden: another network")


# ---- the golden

def summary(name, values):
    bits = stream(name + "/signs", len(values))
    signs = [np.where((bits >> np.uint64(j)) & np.uint64(1), 1.0, -1.0) for j in range(3)]
    rounded = lambda entries: [float(f"{entry:.10g}") for entry in entries]
    numbers = [np.sqrt(np.sum(values * values)), np.sum(values), *(np.sum(values * s) for s in signs)]
    return [*rounded(numbers), rounded(values[:4]), rounded(values[-2:])]


def golden_of(case, losses, gradients, moving):
    result = {"width": case.width, "image_size": case.pictures.shape[1], "pictures": len(case.pictures),
              "classes": case.classes, "label_smoothing": case.label_smoothing, "batch_norm": case.batch_norm,
              "momentum": case.momentum, "learning_rate": case.learning_rate}
    if case.seed is not None:
        digest = hashlib.sha256()
        for name in sorted(case.parameters):
            digest.update(case.parameters[name].astype("<f4").tobytes())
        digest.update(case.pictures.astype("<f4").tobytes())
        result.update(seed=case.seed, beta_centre=case.beta_centre, sha256=digest.hexdigest())
    if moving:
        result["batch_norm_momentum"] = case.batch_norm_momentum
    result["losses"] = losses
    result["gradients"] = {name: summary(name, gradients[name]) for name in sorted(gradients)}
    if moving:
        result["moving"] = {name: summary(name, moving[name]) for name in sorted(moving)}
    return result


def report_float32(case, name, exact):
    losses, gradients, moving = run(case, torch.float32)
    print(f"{name}: float32 against float64, PyTorch's own")
    print("  losses, relative:", " ".join(f"{abs(a / b - 1):.1e}" for a, b in zip(losses, exact[0])))
    for what, found, wanted in (("gradients", gradients, exact[1]), ("moving", moving, exact[2])):
        if found:
            error = {k: np.linalg.norm(found[k] - wanted[k]) / (np.linalg.norm(wanted[k]) + 1e-3) for k in wanted}
            worst = sorted(error, key=error.get)[::-1]
            print(f"  {what}, ||difference|| / (||exact|| + 1e-3): median {np.median(list(error.values())):.1e}, worst",
                  ", ".join(f"{k} {error[k]:.1e}" for k in worst[:3]))
            flat = lambda numbers: np.hstack(numbers)
            summaries = {k: np.abs(flat(summary(k, found[k])) - flat(summary(k, wanted[k]))).max()
                         / (np.linalg.norm(wanted[k]) + 1e-3) for k in wanted}
            worst = max(summaries, key=summaries.get)
            print(f"  their summaries, difference / (||exact|| + 1e-3): worst {worst} {summaries[worst]:.1e}")


def print_activations(name, x):
    low, high = (x <= 0).double().mean().item(), (x >= 6).double().mean().item()
    print(f"  {name:28s} deviation {x.std().item():6.3f}  clipped at 0: {low:.3f}  at 6: {high:.4f}", file=sys.stderr)


def layout(value, indent=0):
    """JSON with one line for each list, so that a change reads well."""
    if isinstance(value, dict):
        inner = ",\n".join(f"{' ' * (indent + 1)}{json.dumps(k)}: {layout(v, indent + 1)}" for k, v in value.items())
        return "{\n" + inner + "\n" + " " * indent + "}"
    return json.dumps(value, separators=(",", ":"))


def main():
    arguments = argparse.ArgumentParser(description="Gradients and losses by PyTorch in float64, as a golden.")
    arguments.add_argument("--weights", help="Keras HDF5 weights of MobileNetV2 1.0/224")
    arguments.add_argument("--pictures", help="npy, u8 [13,224,224,3]")
    arguments.add_argument("--features", help="npy, float64 pooled features of those pictures, to check the network by")
    arguments.add_argument("--out", help="the JSON file to write")
    arguments.add_argument("--check-float32", action="store_true", help="print how far float32 is off")
    arguments.add_argument("--activations", action="store_true", help="print how often each ReLU6 clips")
    arguments.add_argument("--find-seeds", type=int, metavar="N", help="print the best of N seeds of the pictures, no more")
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    if bool(options.weights) != bool(options.pictures):
        arguments.error("--weights and --pictures go together")
    if options.out and not options.weights:
        arguments.error("the golden needs --weights and --pictures")
    torch.set_num_threads(options.threads)

    cases = {"synthetic_frozen": synthetic_case("frozen", seed=15, beta_centre=0, learning_rate=0.0001),
             "synthetic_trainable": synthetic_case("trainable", seed=163, beta_centre=2, learning_rate=0.0002)}
    if options.find_seeds:
        for name, case in cases.items():
            print(f"{name}: seed %d, nearest corner %.1f errors away" % find_seed(case, options.find_seeds))
        return
    if options.weights:
        cases["real_frozen"] = real_case(options.weights, options.pictures, options.features)
        if options.features:
            check_features(cases["real_frozen"])
    golden = {"format": 1, "made_with": {"python": platform.python_version(), "torch": torch.__version__,
                                         "numpy": np.__version__}, "cases": {}}
    for name, case in cases.items():
        exact = run(case, torch.float64, print_activations if options.activations else None)
        print(f"{name}: losses", " ".join(f"{loss:.6f}" for loss in exact[0]), file=sys.stderr)
        golden["cases"][name] = golden_of(case, *exact)
        if options.check_float32:
            report_float32(case, name, exact)
    if options.out:
        with open(options.out, "w") as file:
            file.write(layout(golden) + "\n")


if __name__ == "__main__":
    main()
