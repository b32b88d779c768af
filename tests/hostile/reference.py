"""Is what was decoded FFmpeg's own decoding of a file, by the ffmpeg program or by a plain loop over its libraries?"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import soundfile
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from digests import of_frame
from media_maker import ONE_STEP

from torch_zoo.utils.media.audio import to_int16
from torch_zoo.utils.media.streams import play_start

FILLED = ("-af", "aresample=async=1:first_pts=0")  # holes in the timestamps become silence
SILENCE_SECONDS = 0.05  # of exact zeros and longer: a hole that was filled
LAST_FRAME = 4096  # samples; in MP4, how much of the last frame is padding is read differently by FFmpeg's versions
LAST_BEFORE_IT = 1024  # samples that are not compared where it is
MP4 = {".mp4", ".m4a", ".mov", ".3gp"}
LEVELS = 3.0  # of 255, by which conversions to RGB differ in the mean of a part of a frame
TIME_SECONDS = 0.002
UNTIMED = {".h264", ".hevc", ".m4v", ".h261"}  # without timestamps
CLOCKS = {".ts", ".mpg"}  # whose clock may be set again: the program joins the pieces up to a few frames differently
UNDEFINED = {"ffv1", "flashsv", "h261", "mjpeg", "zlib"}  # decoders that leave lost parts of a frame to chance
TIME = re.compile(rb"pts_time:(\S+)")


def same_samples(path: Path, digests: np.ndarray) -> bool:
    """Rows of `digests.of_samples`."""
    if not len(digests):
        return not len(_samples_by_library(path))
    (rate, channels), ours = digests[0, :2], digests[:, 2:].ravel()
    ours = ours[~np.isnan(ours)]
    if path.suffix == ".wav" and not _is_plain(path, rate, channels, len(ours)):
        return True  # a header that contradicts itself, which libsndfile reads in another way
    return (
        _are_samples(ours, _samples_by_program(path, *FILLED), path)
        or _are_samples(ours, _samples_by_program(path), path)
        or _are_samples(*(_without_silence(each, rate) for each in (ours, _samples_by_library(path))), path)
    )


def same_frames(path: Path, digests: np.ndarray) -> bool:
    """Rows of `digests.of_frame`."""
    if not len(digests):
        return all(row[0] < 0 for row in _frames_by_library(path, 1, 1))
    height, width = digests[0, 1:3].astype(int)
    return _are_frames(digests, _frames_by_program(path, height, width), path) or _are_frames(
        digests, np.array(list(_frames_by_library(path, height, width))), path
    )


def _are_samples(ours: np.ndarray, theirs: np.ndarray, path: Path) -> bool:
    common = min(len(ours), len(theirs))
    if len(ours) != len(theirs):
        if path.suffix not in MP4 or abs(len(ours) - len(theirs)) > LAST_FRAME:
            return False
        common = max(0, common - LAST_BEFORE_IT)
    return bool((np.abs(ours[:common] - theirs[:common]) <= ONE_STEP).all())


def _are_frames(ours: np.ndarray, theirs: np.ndarray, path: Path) -> bool:
    theirs = theirs[[not row[0] < -TIME_SECONDS for row in theirs]] if len(theirs) else theirs  # before playback starts
    if len(ours) != len(theirs):
        return False
    timed = path.suffix not in UNTIMED | CLOCKS
    on_time = not timed or bool((np.abs(ours[:, 0] - theirs[:, 0]) < TIME_SECONDS).all())
    return on_time and (_codec(path) in UNDEFINED or bool((np.abs(ours[:, 3:] - theirs[:, 3:]) <= LEVELS).all()))


def _program(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-threads", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)


def _samples_by_program(path: Path, *arguments: str) -> np.ndarray:
    """(n,) mean of the channels; it exits with an error for some damage behind the last sample."""
    output = ("-map", "0:a:0", *arguments, "-c:a", "pcm_s16le", "-f", "wav", "-")
    made = _program("-v", "error", "-i", f"file:{path}", *output).stdout
    if b"data" not in made:
        return np.zeros(0)
    (channels,) = struct.unpack_from("<H", made, 22)
    samples = np.frombuffer(made[made.index(b"data") + 8 :], "<i2")
    return samples.reshape(-1, channels).mean(axis=1)


def _samples_by_library(path: Path) -> np.ndarray:
    parts = [np.zeros(0)]
    try:
        with _opened(path) as container:
            for frame in container.decode(container.streams.best("audio")):
                block = frame.to_ndarray()
                planar = block if frame.format.is_planar else block.reshape(frame.samples, -1).T
                parts.append(to_int16(planar).mean(axis=0))
    except FFmpegError:  # what precedes the damage
        pass
    return np.concatenate(parts)


def _without_silence(samples: np.ndarray, rate: float) -> np.ndarray:
    kept, edges = [], np.flatnonzero(np.diff(np.concatenate([[1], samples != 0, [1]])))
    start = 0
    for first, last in edges.reshape(-1, 2):
        if last - first >= SILENCE_SECONDS * rate:
            kept.append(samples[start:first])
            start = last
    return np.concatenate([*kept, samples[start:]])


def _frames_by_program(path: Path, height: int, width: int) -> np.ndarray:
    output = ("-map", "0:V:0", "-vf", "showinfo=checksum=0", "-fps_mode", "passthrough", "-f", "rawvideo")
    made = _program("-v", "info", "-i", f"file:{path}", *output, "-pix_fmt", "rgb24", "-")
    times = [float(time) for time in TIME.findall(made.stderr) if time != b"NOPTS"]
    frames = np.frombuffer(made.stdout, np.uint8)
    if len(frames) % (height * width * 3):
        return np.zeros((0, 0))
    images = frames.reshape(-1, height, width, 3)
    times += [np.nan] * (len(images) - len(times))
    return np.array([of_frame(image, time) for image, time in zip(images, times, strict=False)])


def _frames_by_library(path: Path, height: int, width: int) -> Iterator[np.ndarray]:
    reformatter = VideoReformatter()
    try:
        with _opened(path) as container:
            stream = container.streams.best("video")
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                image = reformatter.reformat(
                    frame, width=width, height=height, format="rgb24", interpolation="BICUBIC", threads=1
                )
                time = np.nan if frame.time is None else frame.time - float(play_start(container))
                yield of_frame(image.to_ndarray(), time)
    except FFmpegError:  # what precedes the damage
        pass


def _opened(path: Path) -> Any:
    return av.open(str(path), metadata_errors="ignore")


def _codec(path: Path) -> str:
    with _opened(path) as container:
        return str(container.streams.best("video").codec_context.name)


def _is_plain(path: Path, rate: float, channels: float, length: int) -> bool:
    """Do FFmpeg's libraries find the same in the header of a WAV, if libsndfile reads it, and is it in order?"""
    try:
        known = soundfile.info(str(path), verbose=True)
    except soundfile.LibsndfileError:
        return True
    if "should be" in known.extra_info:  # libsndfile's words for numbers that contradict each other
        return False
    try:
        with _opened(path) as container:
            stream = container.streams.best("audio")
            return (stream.rate, stream.channels, stream.duration) == (known.samplerate, known.channels, known.frames)
    except FFmpegError:
        return False
