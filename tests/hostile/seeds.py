"""Small intact files, one per container and codec that PyAV can write here: what mutants are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from media_maker import KINDS, noise_and_tone, write_media, write_vorbis
from video_maker import write_video

Front = Literal["audio", "video"]

BIT_EXACT = {"fflags": "+bitexact"}  # no random identifiers, no dates
LOSSLESS = {"alac", "flac", "tta", "wavpack"}
SOUND_SECONDS, PCM_SECONDS = 0.9, 0.1  # the latter of what is lossless as well
FRAMES = 6
LARGEST_BYTES = 20_000

SOUNDS = {  # name -> codec and rate, Hz
    "aac.m4a": ("aac", 44100),
    "aac.aac": ("aac", 44100),
    "aac.mka": ("aac", 44100),
    "aac.flv": ("aac", 44100),
    "ac3.ac3": ("ac3", 48000),
    "ac3.ts": ("ac3", 48000),
    "ac3.rm": ("ac3", 44100),
    "adpcm_ima.wav": ("adpcm_ima_wav", 22050),
    "adpcm_ms.wav": ("adpcm_ms", 22050),
    "adpcm_swf.flv": ("adpcm_swf", 22050),
    "alac.caf": ("alac", 22050),
    "alac.m4a": ("alac", 22050),
    "alaw.wav": ("pcm_alaw", 16000),
    "amr.amr": ("libopencore_amrnb", 8000),
    "dfpwm.wav": ("dfpwm", 22050),
    "eac3.eac3": ("eac3", 44100),
    "flac.flac": ("flac", 22050),
    "flac.mp4": ("flac", 22050),
    "flac.oga": ("flac", 22050),
    "g722.wav": ("g722", 16000),
    "g726.wav": ("adpcm_g726", 8000),
    "mp2.mp2": ("mp2", 44100),
    "mp2.mpg": ("mp2", 44100),
    "mp3.flv": ("libmp3lame", 44100),
    "mp3.mp3": ("libmp3lame", 44100),
    "mp3.wav": ("libmp3lame", 44100),
    "mulaw.au": ("pcm_mulaw", 8000),
    "nellymoser.flv": ("nellymoser", 22050),
    "opus.mka": ("libopus", 48000),
    "opus.mp4": ("libopus", 48000),
    "opus.opus": ("libopus", 48000),
    "pcm_16.aiff": ("pcm_s16be", 44100),
    "pcm_16.caf": ("pcm_s16be", 44100),
    "pcm_16.mka": ("pcm_s16le", 16000),
    "pcm_16.mov": ("pcm_s16le", 16000),
    "pcm_16.nut": ("pcm_s16le", 16000),
    "pcm_16.wav": ("pcm_s16le", 44100),
    "pcm_24.wav": ("pcm_s24le", 44100),
    "pcm_32.w64": ("pcm_s32le", 44100),
    "pcm_8.voc": ("pcm_u8", 8000),
    "pcm_8.wav": ("pcm_u8", 8000),
    "pcm_float.wav": ("pcm_f32le", 44100),
    "pcm_double.wav": ("pcm_f64le", 22050),
    "real_144.ra": ("real_144", 8000),
    "tta.tta": ("tta", 22050),
    "wavpack.wv": ("wavpack", 22050),
    "wma_1.wma": ("wmav1", 44100),
    "wma_2.wma": ("wmav2", 44100),
}

VIDEOS = {  # name -> codec, pixel format, width and height
    "apng.apng": ("apng", "rgb24", 32, 24),
    "asv1.avi": ("asv1", "yuv420p", 64, 48),
    "asv2.avi": ("asv2", "yuv420p", 64, 48),
    "av1.mp4": ("libsvtav1", "yuv420p", 64, 64),
    "cinepak.avi": ("cinepak", "rgb24", 32, 24),
    "ffv1.mkv": ("ffv1", "yuv420p", 64, 48),
    "ffvhuff.avi": ("ffvhuff", "yuv420p", 32, 24),
    "flashsv.flv": ("flashsv", "bgr24", 32, 24),
    "flv.flv": ("flv", "yuv420p", 64, 48),
    "gif.gif": ("gif", "rgb8", 64, 48),
    "h261.h261": ("h261", "yuv420p", 176, 144),
    "h263.3gp": ("h263", "yuv420p", 128, 96),
    "h264.avi": ("libx264", "yuv420p", 64, 48),
    "h264.flv": ("libx264", "yuv420p", 64, 48),
    "h264.h264": ("libx264", "yuv420p", 64, 48),
    "h264.mkv": ("libx264", "yuv420p", 64, 48),
    "h264.mp4": ("libx264", "yuv420p", 64, 48),
    "h264.ts": ("libx264", "yuv420p", 64, 48),
    "hevc.hevc": ("libx265", "yuv420p", 64, 48),
    "hevc.mp4": ("libx265", "yuv420p", 64, 48),
    "hevc.ts": ("libx265", "yuv420p", 64, 48),
    "huffyuv.avi": ("huffyuv", "yuv422p", 32, 24),
    "jpeg2000.mov": ("jpeg2000", "yuv420p", 32, 24),
    "magicyuv.avi": ("magicyuv", "yuv420p", 32, 24),
    "mjpeg.avi": ("mjpeg", "yuvj420p", 64, 48),
    "mjpeg.mov": ("mjpeg", "yuvj420p", 64, 48),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", 64, 48),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", 64, 48),
    "mpeg2.mxf": ("mpeg2video", "yuv420p", 64, 48),
    "mpeg2.ts": ("mpeg2video", "yuv420p", 64, 48),
    "mpeg4.3gp": ("mpeg4", "yuv420p", 64, 48),
    "mpeg4.avi": ("mpeg4", "yuv420p", 64, 48),
    "mpeg4.m4v": ("mpeg4", "yuv420p", 64, 48),
    "msmpeg4.avi": ("msmpeg4", "yuv420p", 64, 48),
    "msmpeg4v2.avi": ("msmpeg4v2", "yuv420p", 64, 48),
    "png.mov": ("png", "rgb24", 32, 24),
    "prores.mov": ("prores_ks", "yuv422p10le", 64, 48),
    "qtrle.mov": ("qtrle", "rgb24", 32, 24),
    "raw.avi": ("rawvideo", "yuv420p", 32, 24),
    "raw.nut": ("rawvideo", "yuv420p", 32, 24),
    "raw.y4m": ("rawvideo", "yuv420p", 32, 24),
    "roq.roq": ("roqvideo", "yuvj444p", 64, 48),
    "rv10.rm": ("rv10", "yuv420p", 128, 96),
    "rv20.rm": ("rv20", "yuv420p", 64, 48),
    "snow.avi": ("snow", "yuv420p", 64, 48),
    "svq1.mov": ("svq1", "yuv410p", 64, 48),
    "tiff.mov": ("tiff", "rgb24", 32, 24),
    "utvideo.avi": ("utvideo", "yuv420p", 32, 24),
    "vp8.ivf": ("libvpx", "yuv420p", 64, 48),
    "vp8.ogv": ("libvpx", "yuv420p", 64, 48),
    "vp8.webm": ("libvpx", "yuv420p", 64, 48),
    "vp9.mp4": ("libvpx-vp9", "yuv420p", 64, 48),
    "vp9.webm": ("libvpx-vp9", "yuv420p", 64, 48),
    "wmv1.wmv": ("wmv1", "yuv420p", 64, 48),
    "wmv2.asf": ("wmv2", "yuv420p", 64, 48),
    "zlib.avi": ("zlib", "bgr24", 32, 24),
}

QUIET = {"libx265": {"x265-params": "log-level=none"}, "libx264": {"preset": "veryfast"}}  # and fast


@dataclass(frozen=True)
class Seed:
    """An intact file, and which of its streams is decoded."""

    path: Path
    front: Front
    content: bytes
    numbers: tuple[float, ...]  # that its headers state: rates, sizes, durations in the units of the file

    @property
    def name(self) -> str:
        return f"{self.path.name} ({self.front})"


def write_seeds(folder: Path) -> list[Seed]:
    """All seeds, in an order that never changes."""
    paths: dict[Path, tuple[Front, ...]] = {}
    for kind, (codec, rate, picture) in KINDS.items():
        if picture:
            path = folder / kind
            write_media(path, noise_and_tone(0.4, rate), rate, codec, picture=picture, options=BIT_EXACT)
            paths[path] = ("audio", "video")
    for name, (codec, rate) in SOUNDS.items():
        seconds = PCM_SECONDS if codec.startswith("pcm") or codec in LOSSLESS else SOUND_SECONDS
        write_media(folder / name, noise_and_tone(seconds, rate, channels=1), rate, codec, options=BIT_EXACT)
        paths[folder / name] = ("audio",)
    paths[write_vorbis(folder / "vorbis.ogg", 0.4)] = ("audio",)
    for name, (codec, pixels, width, height) in VIDEOS.items():
        options = QUIET.get(codec, {})
        write_video(
            folder / name, FRAMES, size=(width, height), codec=codec, pix_fmt=pixels, options=options, muxing=BIT_EXACT
        )
        paths[folder / name] = ("video",)
    return [seed for path, fronts in paths.items() for seed in _seeds(path, fronts)]


def _seeds(path: Path, fronts: tuple[Front, ...]) -> Iterator[Seed]:
    content = path.read_bytes()
    assert len(content) <= LARGEST_BYTES, path.name
    numbers = tuple(dict.fromkeys(_numbers(path)))
    for front in fronts:
        yield Seed(path, front, content, numbers)


def _numbers(path: Path) -> Iterator[float]:
    with av.open(str(path)) as container:
        yield from (container.duration / 1000, container.duration / 1_000_000) if container.duration else ()
        for stream in container.streams:
            yield from (stream.duration,) if stream.duration else ()
            if stream.type == "audio":
                yield from (stream.rate, stream.channels)
            elif stream.type == "video":
                yield from (stream.width, stream.height)
