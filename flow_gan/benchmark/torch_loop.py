"""A plain PyTorch loop for the same flows, with which training is compared; a program of its own, without TensorFlow.

    python -m flow_gan.benchmark.torch_loop '{"model_type": "nice", ...}'

prints the seconds of each step and the peak memory as JSON. It does the same arithmetic as this package but for the
norms of the coupling networks, which it does not have, and what a run records. PyTorch is not a dependency: it is
imported here alone. The images are random: their values do not matter to the time.
"""

import itertools
import json
import math
import resource
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_IMAGES = 5000
_ADAM_EPSILON = 1e-8
_SLOPE = 0.2
_LEVELS = 256


class NICE(nn.Module):
    """Four additive couplings of the even and the odd positions, and a diagonal scaling."""

    def __init__(self, settings: dict):
        super().__init__()
        height, width, channels = settings["image_shape"]
        self.size = height * width * channels
        units = settings["hidden_units"]
        sizes = [self.size // 2] + [units] * (settings["num_layers"] + 1)
        self.networks = nn.ModuleList()
        for _ in range(4):
            layers: list[nn.Module] = []
            for n_in, n_out in itertools.pairwise(sizes):
                layers += [nn.Linear(n_in, n_out), nn.ReLU()]
            self.networks.append(nn.Sequential(*layers, nn.Linear(units, self.size // 2)))
        self.log_scale = nn.Parameter(torch.zeros(self.size))
        self.image_shape = (channels, height, width)

    def encode(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return z and log |det dz/dy| of images."""
        y = y.flatten(1)
        halves = [y[:, ::2], y[:, 1::2]]
        for i, network in enumerate(self.networks):
            shifted = 1 if i % 2 == 0 else 0
            halves[shifted] = halves[shifted] + network(halves[1 - shifted])
        return torch.cat(halves, 1) * self.log_scale.exp(), self.log_scale.sum()

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return images of z."""
        halves = list((z * (-self.log_scale).exp()).chunk(2, 1))
        for i, network in reversed(list(enumerate(self.networks))):
            shifted = 1 if i % 2 == 0 else 0
            halves[shifted] = halves[shifted] - network(halves[1 - shifted])
        return torch.stack(halves, 2).reshape(-1, *self.image_shape)


class _Convolution(nn.Module):
    """Weight-normalised."""

    def __init__(self, n_in, n_out, size):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in, size, size))
        nn.init.xavier_uniform_(self.weight)
        self.scale = nn.Parameter(torch.empty(n_out).uniform_(-1, 1) * (3 / n_out) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        factor = self.scale * self.weight.square().sum([1, 2, 3]).clamp_min(1e-12).rsqrt()
        return functional.conv2d(x, self.weight * factor[:, None, None, None], self.bias, padding="same")


class _ResidualNetwork(nn.Module):
    def __init__(self, channels, filters, blocks, initial_tanh_scale):
        super().__init__()
        self.first = _Convolution(channels, filters, 1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(_Convolution(filters, filters, 3) for _ in range(2)) for _ in range(blocks)
        )
        self.last = _Convolution(filters, 2 * channels, 1)
        self.tanh_scale = nn.Parameter(torch.full((1,), initial_tanh_scale))
        self.scale_shift = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        y = self.first(x).relu()
        for first, second in self.blocks:
            y = (y + second(first(y).relu())).relu()
        log_scale, shift = self.last(y).tanh().chunk(2, 1)
        return shift, log_scale * self.tanh_scale + self.scale_shift


class RealNVP(nn.Module):
    """Affine couplings at several scales: 3 by checkerboard and 3 by channels, 4 by checkerboard at the last."""

    def __init__(self, settings: dict):
        super().__init__()
        height, width, channels = settings["image_shape"]
        self.image_shape = (channels, height, width)
        self.size = height * width * channels
        self.scales = settings["scales"]
        self.networks = nn.ModuleList()
        self.masks: list[Any] = []

        def add(mask, initial_tanh_scale):
            network = _ResidualNetwork(channels, settings["filters"], settings["num_layers"], initial_tanh_scale)
            self.networks.append(network.to(memory_format=torch.channels_last))
            self.masks.append(mask)

        for scale in range(self.scales):
            is_last = scale == self.scales - 1
            parity = (torch.arange(height)[:, None] + torch.arange(width)) % 2
            for i in range(4 if is_last else 3):
                add((parity == (i + 1) % 2).float()[None], 0.0)
            if not is_last:
                height, width, channels = height // 2, width // 2, 4 * channels
                first = (torch.arange(channels) < channels // 2).float()[:, None, None]
                for i in range(3):
                    add(first if i % 2 == 0 else 1 - first, 1.0)
                channels //= 2

    def _couple(self, x, index, inverse):
        mask = self.masks[index]
        shift, log_scale = self.networks[index](mask * x)
        shift, log_scale = (1 - mask) * shift, (1 - mask) * log_scale
        y = (x - shift) * (-log_scale).exp() if inverse else x * log_scale.exp() + shift
        return y, log_scale.sum([1, 2, 3])

    def encode(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return z and log |det dz/dy| of images."""
        y = y.contiguous(memory_format=torch.channels_last)
        parts, log_det, index = [], torch.zeros(len(y)), 0
        for scale in range(self.scales):
            is_last = scale == self.scales - 1
            for i in range(4 if is_last else 6):
                if i == 3 and not is_last:
                    y = functional.pixel_unshuffle(y, 2)
                y, own = self._couple(y, index, False)
                log_det, index = log_det + own, index + 1
            if not is_last:
                out, y = y.chunk(2, 1)
                parts.append(out.flatten(1))
        return torch.cat([*parts, y.flatten(1)], 1), log_det

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return images of z."""
        channels, height, width = self.image_shape
        shapes, outs, start = [], [], 0
        for _ in range(self.scales - 1):
            channels, height, width = 2 * channels, height // 2, width // 2
            shapes.append((channels, height, width))
        for shape in shapes:
            outs.append(z[:, start : start + math.prod(shape)].reshape(-1, *shape))
            start += math.prod(shape)
        y = z[:, start:].reshape(-1, channels, height, width).contiguous(memory_format=torch.channels_last)
        index = len(self.networks)
        for scale in reversed(range(self.scales)):
            is_last = scale == self.scales - 1
            if not is_last:
                y = torch.cat([outs[scale], y], 1)
            for i in reversed(range(4 if is_last else 6)):
                index -= 1
                y, _ = self._couple(y, index, True)
                if i == 3 and not is_last:
                    y = functional.pixel_shuffle(y, 2)
        return y


class _Critic(nn.Module):
    """Convolutions of 5x5 and stride 2; layer norms with "dcgan", a hidden dense layer with "mnist"."""

    def __init__(self, settings):
        super().__init__()
        height, width, channels = settings["image_shape"]
        is_dcgan = settings["critic"] == "dcgan"
        width_ = settings["df_dim"]
        widths = [width_ * 2**i for i in range(4)] if is_dcgan else [channels, width_]
        self.layers = nn.ModuleList()
        for n_out in widths:
            self.layers.append(nn.Conv2d(channels, n_out, 5, 2))
            height, width, channels = -(-height // 2), -(-width // 2), n_out
            self.layers.append(nn.LayerNorm([channels, height, width]) if is_dcgan else nn.Identity())
        size = channels * height * width
        hidden = [] if is_dcgan else [nn.Linear(size, 1024), nn.LeakyReLU(_SLOPE)]
        self.head = nn.Sequential(*hidden, nn.Linear(size if is_dcgan else 1024, 1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution, norm in zip(self.layers[::2], self.layers[1::2], strict=True):
            # TensorFlow's padding "same".
            pads = [max((-(-n // 2) - 1) * 2 + 5 - n, 0) for n in x.shape[-2:]]
            x = functional.pad(x, [pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2])
            x = norm(functional.leaky_relu(convolution(x), _SLOPE))
        return self.head(x.flatten(1))


def _log_prior(z, prior):
    if prior == "logistic":
        return (-z - 2 * functional.softplus(-z)).sum(1)
    if prior == "gaussian":
        return -(z.square() / 2 + math.log(2 * math.pi) / 2).sum(1)
    return torch.full([len(z)], -math.log(2.0) * z.shape[1])


def _draw(prior, size):
    if prior == "logistic":
        u = torch.rand(size).clamp(1e-7, 1 - 1e-7)
        return u.log() - (-u).log1p()
    return torch.randn(size) if prior == "gaussian" else 2 * torch.rand(size) - 1


class Loop:
    """The training loop: `n_critic` critic updates on one G(z), then one of the generator.

    Args:
      settings: as `flow_gan.benchmark.against` passes them.
    """

    def __init__(self, settings: dict):
        self.settings = settings
        self.flow: Any = {"nice": NICE, "real_nvp": RealNVP}[settings["model_type"]](settings)
        self.optimizer = self._adam(self.flow)
        self.critic: Any = None
        self.critic_optimizer: Any = None
        if settings["n_critic"]:
            self.critic = _Critic(settings)
            self.critic_optimizer = self._adam(self.critic)
        height, width, channels = settings["image_shape"]
        self.images = torch.randint(0, _LEVELS, (_IMAGES, channels, height, width), dtype=torch.uint8)

    def _adam(self, network):
        betas = self.settings["beta1"], self.settings["beta2"]
        rate = self.settings["learning_rate"]
        return torch.optim.Adam(network.parameters(), rate, betas, _ADAM_EPSILON, fused=True)

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """Return log p(x), [batch], of images in [0, 1)."""
        alpha = self.settings["alpha"]
        u = alpha + (1 - 2 * alpha) * x
        log_u, log_v = u.log(), (-u).log1p()
        log_det = (math.log(1 - 2 * alpha) - log_u - log_v).flatten(1).sum(1)
        z, own = self.flow.encode(log_u - log_v)
        return _log_prior(z, self.settings["prior"]) + own + log_det

    def generate(self, count: int) -> torch.Tensor:
        """Return images of drawn z."""
        alpha = self.settings["alpha"]
        u = torch.sigmoid(self.flow.decode(_draw(self.settings["prior"], (count, self.flow.size))))
        return (u - alpha) / (1 - 2 * alpha)

    def step(self) -> float:
        """Make a step; return its loss."""
        settings = self.settings
        count = settings["batch_size"]
        chosen = self.images[torch.randint(0, _IMAGES, (count,))].float()
        loss = torch.zeros(())
        if settings["n_critic"]:
            fake = self.generate(count)
            self.critic.requires_grad_(True)
            for _ in range(settings["n_critic"]):
                self._critic_update((chosen + torch.rand_like(chosen)) / _LEVELS, fake.detach())
            # Its own gradients are not needed here.
            self.critic.requires_grad_(False)
            loss = -self.critic(fake).mean()
            if settings["like_reg"]:
                loss = loss / settings["like_reg"]
        if settings["like_reg"]:
            loss = loss - self.log_prob((chosen + torch.rand_like(chosen)) / _LEVELS).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _critic_update(self, real, fake):
        between = torch.rand(len(real), 1, 1, 1)
        x = (between * real + (1 - between) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        loss = self.critic(fake).mean() - self.critic(real).mean() + self.settings["reg"] * penalty
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()


def main(settings: dict) -> dict:
    """Return the seconds of each step after the first, and the peak memory in bytes."""
    torch.manual_seed(0)
    torch.set_num_threads(settings["threads"])
    loop = Loop(settings)
    times = []
    for _ in range(settings["steps"] + 1):
        start = time.perf_counter()
        loop.step()
        times.append(time.perf_counter() - start)
    unit = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"steps": times[1:], "peak_memory": memory, "version": torch.__version__}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
