"""What a point of a map sounds like."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.types import MediaError, Source


def excerpt(path: str, start: float, end: float, seconds: float) -> bytes:
    """The sound from `start` to `end`, at most so many seconds of it, as a mono 16-bit WAV. Raises MediaError."""
    source = Source(path, path, start, min(end, start + seconds))
    with open_audio(source) as audio:
        blocks = list(mono(audio.blocks))
        if not blocks:
            raise MediaError("no sound there")
        file = io.BytesIO()
        soundfile.write(file, np.concatenate(blocks), audio.rate, subtype="PCM_16", format="WAV")
    return file.getvalue()
