"""MobileNetV2 (Sandler et al. 2018) in PyTorch, with weights from Keras' HDF5 files."""

import torch
from torch import nn
import torch.nn.functional as F

# expansion, channels, repeats, stride of the first: table 2 of the paper
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def make_divisible(channels):
    n = max(8, int(channels + 4) // 8 * 8)
    return n + 8 if n < 0.9 * channels else n


class ConvNorm(nn.Module):
    """Convolution, batch norm and, if so asked, ReLU6. tf_padding: at stride 2 no zeros before and one after, as
    TensorFlow's SAME does and Keras' weights need; else one all round, as torchvision does, without a copy."""

    def __init__(self, names, inputs, outputs, kernel=1, stride=1, groups=1, relu=True, tf_padding=True):
        super().__init__()
        self.keras_conv, self.keras_norm = names
        self.pad = tf_padding and stride == 2
        self.relu = relu
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, 0 if self.pad else kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.001)

    def forward(self, x):
        x = self.norm(self.conv(F.pad(x, (0, 1, 0, 1)) if self.pad else x))
        return F.relu6(x, inplace=True) if self.relu else x


class InvertedResidual(nn.Module):
    def __init__(self, prefix, inputs, outputs, stride, expansion, tf_padding):
        super().__init__()
        wide = inputs * expansion
        layers = []
        if expansion > 1:
            layers.append(ConvNorm((prefix + "expand", prefix + "expand_BN"), inputs, wide))
        layers.append(ConvNorm((prefix + "depthwise", prefix + "depthwise_BN"), wide, wide, 3, stride, wide,
                               tf_padding=tf_padding))
        layers.append(ConvNorm((prefix + "project", prefix + "project_BN"), wide, outputs, relu=False))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileNetV2(nn.Module):
    """Logits [N,classes] of pictures [N,3,H,W] in [-1,1]; H and W divisible by 32 (for tf_padding)."""

    def __init__(self, classes=1000, width=1.0, dropout=0.0, tf_padding=True):
        super().__init__()
        channels = make_divisible(32 * width)
        layers = [ConvNorm(("Conv1", "bn_Conv1"), 3, channels, 3, 2, tf_padding=tf_padding)]
        for expansion, c, repeats, stride in STAGES:
            for i in range(repeats):
                outputs = make_divisible(int(c * width))
                prefix = f"block_{len(layers) - 1}_" if len(layers) > 1 else "expanded_conv_"
                layers.append(InvertedResidual(prefix, channels, outputs, stride if i == 0 else 1, expansion, tf_padding))
                channels = outputs
        last = make_divisible(1280 * max(1.0, width))
        layers.append(ConvNorm(("Conv_1", "Conv_1_bn"), channels, last))
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(last, classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.dropout(self.features(x).mean((2, 3))))

    def train_with_frozen_batch_norm(self):
        """Training mode, but batch norm by its moving statistics: for fine-tuning on small batches of few pictures."""
        self.train()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def load_keras(model, path):
    """Fills everything but the head from a Keras HDF5 weights file (with or without top)."""
    import h5py

    def value(file, layer, name):
        return torch.from_numpy(file[layer][layer][name + ":0"][()])

    with h5py.File(path, "r") as file, torch.no_grad():
        for module in model.modules():
            if not isinstance(module, ConvNorm):
                continue
            if module.conv.groups > 1:  # [3,3,C,1]
                kernel = value(file, module.keras_conv, "depthwise_kernel").permute(2, 3, 0, 1)
            else:  # [kh,kw,Cin,Cout]
                kernel = value(file, module.keras_conv, "kernel").permute(3, 2, 0, 1)
            module.conv.weight.copy_(kernel)
            module.norm.weight.copy_(value(file, module.keras_norm, "gamma"))
            module.norm.bias.copy_(value(file, module.keras_norm, "beta"))
            module.norm.running_mean.copy_(value(file, module.keras_norm, "moving_mean"))
            module.norm.running_var.copy_(value(file, module.keras_norm, "moving_variance"))
