"""The audio of a point on the map."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.types import MediaError, Source


def excerpt(path: str, start: float, end: float, seconds: float) -> bytes:
    """The audio from `start` to `end`, at most `seconds` long, as a mono 16-bit WAV. Raises MediaError."""
    source = Source(path, path, start, min(end, start + seconds))
    with open_audio(source) as audio:
        blocks = list(mono(audio.blocks))
        if not blocks:
            raise MediaError(f"no audio between {source.start:g} and {source.end:g} s")
        file = io.BytesIO()
        soundfile.write(file, np.concatenate(blocks), audio.rate, subtype="PCM_16", format="WAV")
    return file.getvalue()
