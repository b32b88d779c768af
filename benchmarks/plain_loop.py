"""The usual loop, as a process: for each file, ffmpeg writes a WAV, and torchvggish computes its embeddings.

Usage: python -m benchmarks.plain_loop weights.pth output_folder file...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvggish

from torch_zoo.utils.media.ffmpeg_cli import ffmpeg_program


def main(weights: str, output: str, *paths: str) -> None:
    network = torchvggish.VGG(torchvggish.make_layers(), postprocess=False)
    network.load_state_dict(torch.load(weights))
    network.eval()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        wav = str(Path(folder) / "sound.wav")
        for path in paths:
            subprocess.run([ffmpeg_program(), "-v", "error", "-y", "-i", path, "-vn", wav], check=True)
            embeddings = network(torchvggish.wavfile_to_examples(wav))
            np.save(Path(output) / f"{Path(path).stem}.npy", embeddings.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
