"""Media files for the tests, written with PyAV, and their samples as the ffmpeg program decodes them."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import soundfile

from torch_zoo.utils.media.audio import Decoder, open_audio
from torch_zoo.utils.types import Source

FRAME = 960  # samples passed to an encoder at a time
BIT_RATE = 128_000
# x264's SIMD code reads uninitialized memory: without this, one file in some hundreds has other bytes.
REPRODUCIBLE = {"x264-params": "asm=0"}
ONE_STEP = 1  # of 16 bits, by which FFmpeg versions may differ

# name -> codec, sampling rate in Hz and video codec
KINDS = {
    "h264+aac.mp4": ("aac", 44100, "libx264"),
    "mpeg4+aac.mov": ("aac", 44100, "mpeg4"),
    "mpeg4+aac.mkv": ("aac", 44100, "mpeg4"),
    "vp8+opus.webm": ("libopus", 48000, "libvpx"),
    "mpeg4+mp3.avi": ("libmp3lame", 44100, "mpeg4"),
    "mpeg2+aac.ts": ("aac", 48000, "mpeg2video"),
    "aac.m4a": ("aac", 22050, None),
    "lame.mp3": ("libmp3lame", 44100, None),
    "flac.flac": ("flac", 44100, None),
    "opus.opus": ("libopus", 48000, None),
    "wma.wma": ("wmav2", 32000, None),
    "16bit.wav": ("pcm_s16le", 44100, None),
    "24bit.wav": ("pcm_s24le", 96000, None),
    "8bit.wav": ("pcm_u8", 8000, None),
    "float.wav": ("pcm_f32le", 48000, None),
}


def noise_and_tone(seconds: float, rate: int, channels: int = 2, seed: int = 0) -> np.ndarray:
    """A different tone per channel, with soft noise: (n, channels) int16."""
    time = np.arange(round(seconds * rate))[:, None] / rate
    tones = 0.4 * np.sin(2 * np.pi * (300.0 + 170.0 * np.arange(channels)) * time)
    noise = 0.05 * np.random.default_rng(seed).standard_normal((len(time), channels))
    return np.rint(np.clip(tones + noise, -1, 1) * 32767).astype(np.int16)


def write_mono(path: Path, seconds: float, rate: int = 16_000) -> Source:
    """A WAV of noise and a tone."""
    soundfile.write(path, noise_and_tone(seconds, rate, channels=1), rate)
    return Source(str(path), path.stem)


def write_media(
    path: Path,
    samples: np.ndarray,
    rate: int,
    codec: str,
    *,
    layout: str | None = None,
    picture: str | None = None,
    start: float = 0.0,
    hole: tuple[float, float] = (0.0, 0.0),
    options: Mapping[str, str] | None = None,
) -> Path:
    """Samples (n, channels) int16 -> a media file, with a video stream as long as the audio, encoded by `picture`.

    The audio starts at `start` s; at `hole[0]` s of it, the clock jumps ahead by `hole[1]` s. `samples` may be empty.
    """
    channels = samples.shape[1]
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(str(path), "w", options=dict(options or {})) as container:
        video = container.add_stream(picture, rate=25, width=64, height=48, pix_fmt="yuv420p") if picture else None
        audio = container.add_stream(codec, rate=rate, layout=layout, bit_rate=BIT_RATE) if codec else None
        if picture == "libx264":
            video.options = dict(REPRODUCIBLE)
        if audio is not None and codec == "aac":
            audio.options = {"aac_pns": "0"}  # noise substitution: the decoder's random numbers differ after a seek
        if video is not None:
            for index in range(round((start + hole[1] + len(samples) / rate) * 25)):
                image = np.full((48, 64, 3), (index * 7) % 256, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(video.encode(None))
        if audio is not None:
            for index in range(0, len(samples), FRAME):
                part = np.ascontiguousarray(samples[index : index + FRAME]).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(part, "s16", layout)
                late = round(start * rate) + (round(hole[1] * rate) if index >= hole[0] * rate else 0)
                frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), index + late
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def write_kind(folder: Path, kind: str, seconds: float = 2.0) -> tuple[Path, np.ndarray, int]:
    """One of KINDS -> the file, its original samples and their rate."""
    codec, rate, picture = KINDS[kind]
    samples = noise_and_tone(seconds, rate)
    return write_media(folder / kind, samples, rate, codec, picture=picture), samples, rate


def write_vorbis(path: Path, seconds: float = 2.0) -> Path:
    soundfile.write(path, noise_and_tone(seconds, 44100), 44100, format="OGG", subtype="VORBIS")
    return path


def decode(path: Path, decoder: Decoder = "auto", start: float = 0.0, end: float | None = None) -> np.ndarray:
    """The samples (n, channels) int16 that the code under test decodes from `path`."""
    with open_audio(Source(str(path), "x", start, end), decoder) as audio:
        return np.concatenate(list(audio.blocks), axis=1).T


def by_program(path: Path, *arguments: str) -> np.ndarray:
    """The samples (n, channels) int16 that imageio-ffmpeg's ffmpeg program decodes from `path`."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-v", "error", "-i", str(path), *arguments, "-vn", "-acodec", "pcm_s16le", "-f", "wav", "-"]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    at = done.stdout.index(b"data") + 8
    (channels,) = struct.unpack_from("<H", done.stdout, 22)
    return np.frombuffer(done.stdout[at:], "<i2").reshape(-1, channels)


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype == np.int16
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= ONE_STEP
