"""A plain I3D implementation, as a process: OpenCV decodes, Pillow resizes, stacks are processed independently.

Usage: python -m benchmarks.plain_i3d streams stack_size step_size weights_folder output_folder file...

`weights_folder` has rgb.pth and flow.pth. The flow is TV-L1, computed for all pairs of every stack.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from torch_zoo.models.i3d.network import I3D

EDGE, CROP = 256, 224  # px


def main(streams: str, stack_size: str, step_size: str, weights: str, output: str, *paths: str) -> None:
    size, step = int(stack_size), int(step_size)
    networks = {}
    for stream in streams.split("+"):
        networks[stream] = I3D(3 if stream == "rgb" else 2).eval()
        networks[stream].load_state_dict(torch.load(f"{weights}/{stream}.pth"))
    solver = cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]  # OpenCV's stubs lack it
    for path in paths:
        found: dict[str, list[np.ndarray]] = {stream: [] for stream in networks}
        frames: list[np.ndarray] = []
        video = cv2.VideoCapture(path)
        while True:
            there, frame = video.read()
            if not there:
                break
            frames.append(scaled(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)))
            if len(frames) == size + 1:
                for stream, network in networks.items():
                    clip = rgb(frames) if stream == "rgb" else flow(frames, solver)
                    with torch.inference_mode():
                        found[stream].append(network(clip)[0].numpy())
                del frames[:step]
        for stream, rows in found.items():
            np.save(Path(output) / f"{Path(path).stem}_{stream}.npy", np.concatenate(rows))


def scaled(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    size = (EDGE, EDGE * height // width) if width < height else (EDGE * width // height, EDGE)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def center_crop(image: np.ndarray) -> np.ndarray:
    top, left = ((length - CROP) // 2 for length in image.shape[:2])
    return image[top : top + CROP, left : left + CROP]


def rgb(frames: list[np.ndarray]) -> torch.Tensor:
    clip = np.stack([center_crop(frame) for frame in frames[:-1]]).astype(np.float32)
    return torch.from_numpy(clip).permute(3, 0, 1, 2)[None].contiguous() * 2 / 255 - 1


def flow(frames: list[np.ndarray], solver: cv2.DenseOpticalFlow) -> torch.Tensor:
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    vectors = [center_crop(solver.calc(*pair, None)) for pair in pairwise(gray)]  # type: ignore[call-overload]
    quantized = np.rint(128 + 255 / 40 * np.clip(np.stack(vectors), -20, 20)).astype(np.float32)
    return torch.from_numpy(quantized).permute(3, 0, 1, 2)[None].contiguous() * 2 / 255 - 1


if __name__ == "__main__":
    main(*sys.argv[1:])
