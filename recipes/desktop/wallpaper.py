#!/usr/bin/python3
"""Draws files/share/backgrounds/phoenix/dusk.jpg: hills at dusk. Needs python3-numpy, python3-pil.

Run by hand when the picture is to change; the picture itself is in the tree."""
import sys
import numpy as np
from PIL import Image

W, H, S = 1920, 1080, 3  # drawn at S times the size, for smooth edges
w, h = W * S, H * S
x = np.linspace(0, 1, w, dtype=np.float32)
y = np.linspace(0, 1, h, dtype=np.float32)[:, None]


def rgb(text):
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)], np.float32)


def blend(stops, t):
    """Colours at positions t, smooth between (position, colour) stops."""
    at = np.array([s[0] for s in stops], np.float32)
    cols = np.stack([rgb(s[1]) for s in stops])
    return np.stack([np.interp(t, at, cols[:, c]) for c in range(3)], -1).astype(np.float32)


sky = blend([(0, "17203a"), (0.30, "2a3358"), (0.55, "5b4a74"), (0.72, "a8687c"), (0.84, "e09a7c"),
             (1, "f0b98a")], y[:, 0])
img = np.repeat(sky[:, None, :], w, axis=1)
glow = np.exp(-(((x - 0.68) / 0.34) ** 2 + ((y - 0.66) / 0.30) ** 2))[..., None]
img += glow * (rgb("ffd9a8") - img) * 0.38
del glow

hills = [  # height, amplitude, wave numbers and phases, colour at the crest, colour at the foot
    (0.640, 0.028, ((1.3, 0.4), (2.9, 1.9)), "8a5d7c", "6a4f74"),
    (0.705, 0.036, ((1.1, 2.3), (2.3, 0.2)), "5d4a72", "4a4068"),
    (0.775, 0.040, ((0.9, 4.4), (2.7, 2.6)), "42406a", "343760"),
    (0.850, 0.044, ((1.2, 1.1), (1.9, 4.0)), "2b3157", "20284a"),
    (0.925, 0.040, ((0.8, 3.0), (2.2, 0.9)), "1b2340", "141b33"),
]
for base, amp, waves, crest, foot in hills:
    line = base + amp * sum(np.sin(2 * np.pi * k * x + p) / (i + 1)
                            for i, (k, p) in enumerate(waves))
    depth = np.clip((y - line) / 0.16, 0, 1)[..., None]
    mask = np.clip((y - line) * h + 0.5, 0, 1)[..., None]
    img += mask * ((rgb(crest) + depth * (rgb(foot) - rgb(crest))) - img)

small = img.reshape(H, S, W, S, 3).mean((1, 3))
small += np.random.default_rng(7).normal(0, 0.4, (H, W, 1))  # hides the steps of smooth gradients
Image.fromarray(np.clip(small + 0.5, 0, 255).astype(np.uint8)).save(
    sys.argv[1], quality=88, optimize=True, subsampling=0)
