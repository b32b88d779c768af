"""Generate the sample clips, speech.mp4 and music.mp4, and the list of their paths.

Run as `python sample/make_samples.py` from the repository root. Needs the espeak-ng program.
"""

import io
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
SEED = 20
FPS = 25
WIDTH_PX, HEIGHT_PX = 320, 240
SPEECH_RATE_HZ, MUSIC_RATE_HZ = 44_100, 48_000
AUDIO_BITS_PER_S_PER_CHANNEL = 64_000
# asm=0: libx264's AVX-512 code (core 165) is not deterministic between runs; its C code is.
X264_OPTIONS = {"crf": "27", "preset": "medium", "x264-params": "asm=0"}
PEAK = 0.8  # of full scale
PAUSE_S = 0.45
SENTENCES = (  # (espeak-ng voice, text)
    ("en-us", "Torch Zoo watches a video, and listens to its sound."),
    ("en-gb+f3", "It cuts the sound into pieces, each about one second long."),
    ("en-us", "For every piece, a network called V G G ish writes one hundred and twenty eight numbers."),
    ("en-gb+f3", "The numbers are printed, or saved as an array."),
)
MELODY_HZ = (523.3, 587.3, 659.3, 784.0, 659.3, 587.3, 523.3, 392.0, 440.0, 523.3, 659.3, 523.3)
CHORDS_HZ = ((130.8, 196.0, 329.6), (110.0, 164.8, 261.6), (87.3, 174.6, 220.0), (98.0, 146.8, 246.9))
NOTE_S, CHORD_S, BURST_S = 0.75, 2.25, 0.5
BURSTS = 6


def tone(hz: float, seconds: float, rate_hz: int) -> Floats:
    """A plucked note with three harmonics: (n,) float32."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = sum(np.sin(2 * np.pi * hz * k * t) / k**2 for k in (1, 2, 3))
    envelope = np.minimum(t / 0.01, 1) * np.minimum((seconds - t) / 0.05, 1) * np.exp(-1.5 * t / seconds)
    return np.asarray(wave * envelope, np.float32)


def noise(rng: np.random.Generator, seconds: float, rate_hz: int) -> Floats:
    """White noise that fades in and out: (n,) float32."""
    n = round(seconds * rate_hz)
    return np.asarray(rng.uniform(-1, 1, n) * np.hanning(n), np.float32)


def say(voice: str, text: str) -> Floats:
    """One spoken sentence: (n,) float32, 44.1 kHz."""
    try:
        done = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], capture_output=True)
    except FileNotFoundError:
        raise SystemExit("espeak-ng is not installed: apt-get install -y espeak-ng") from None
    if done.returncode:
        stderr = done.stderr.decode(errors="replace").strip()
        raise SystemExit(f"espeak-ng ended with {done.returncode}: {stderr}")
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SPEECH_RATE_HZ)
    with av.open(io.BytesIO(done.stdout), format="wav") as wav:
        frames = [out for frame in wav.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])


def speech_audio(rng: np.random.Generator) -> Floats:
    """A chime, then sentences with pauses between them, then soft noise: (n, 1) float32, 44.1 kHz."""
    pause = np.zeros(round(PAUSE_S * SPEECH_RATE_HZ), np.float32)
    chime = [0.3 * tone(hz, 0.4, SPEECH_RATE_HZ) for hz in (659.26, 783.99)]
    spoken = [part for voice, text in SENTENCES for part in (say(voice, text), pause)]
    hiss = 0.1 * noise(rng, 1.5, SPEECH_RATE_HZ)
    return np.concatenate([*chime, pause, *spoken, hiss])[:, None]


def music_audio(rng: np.random.Generator) -> Floats:
    """Melody on the left and chords on the right, then bursts of noise on alternating sides: (n, 2) float32, 48 kHz."""
    left = np.concatenate([tone(hz, NOTE_S, MUSIC_RATE_HZ) for hz in MELODY_HZ])
    right = np.concatenate([sum(tone(hz, CHORD_S, MUSIC_RATE_HZ) for hz in chord) / 2 for chord in CHORDS_HZ])
    music = np.stack([left, right], axis=1)
    sides = np.eye(2, dtype=np.float32)
    bursts = [noise(rng, BURST_S, MUSIC_RATE_HZ)[:, None] * sides[i % 2] for i in range(BURSTS)]
    return np.concatenate([music, *bursts])


def split_by_frame(audio: Floats, rate_hz: int) -> Floats:
    """Peak-normalize the audio, pad it with silence and split it by video frame: (frames, samples, channels)."""
    samples = rate_hz // FPS
    padded = np.pad(audio, ((0, -len(audio) % samples), (0, 0)))
    padded *= PEAK / np.abs(padded).max()
    return padded.reshape(-1, samples, audio.shape[1])


def backdrop(rng: np.random.Generator) -> Image:
    """Soft clouds of color that tile seamlessly: (240, 320, 3) uint8."""
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3))
    for _ in range(12):
        waves_y, waves_x = rng.integers(-5, 6, 2)
        angle = 2 * np.pi * (waves_y * y / HEIGHT_PX + waves_x * x / WIDTH_PX)
        image += np.sin(angle[..., None] + rng.uniform(0, 2 * np.pi, 3))
    return np.asarray(np.clip(90 + 18 * image, 16, 200), np.uint8)


def draw_frame(scene: Image, index: int, level: float) -> Image:
    """Drifting clouds and a checkered disc that grows with the level, 0 to 1: (240, 320, 3) uint8."""
    image = np.roll(scene, (index, 2 * index), axis=(0, 1))
    angle = 2 * np.pi * index / (5 * FPS)
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    dy = y - round(HEIGHT_PX * (0.5 + 0.2 * np.sin(2 * angle)))
    dx = x - round(WIDTH_PX * (0.5 + 0.3 * np.cos(angle)))
    disc = np.hypot(dy, dx) < 20 + 40 * level
    image[disc] = np.where((dy // 10 + dx // 10) % 2, 235, 40)[disc][:, None]
    return image


def write_clip(path: Path, make_audio: Callable[[np.random.Generator], Floats], rate_hz: int) -> None:
    """Encode the audio (AAC) and an animation that follows its level (H.264)."""
    rng = np.random.default_rng(SEED)
    blocks = split_by_frame(make_audio(rng), rate_hz)
    scene = backdrop(rng)
    levels = np.sqrt((blocks**2).mean(axis=(1, 2)))
    layout = "mono" if blocks.shape[2] == 1 else "stereo"
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as clip:
        video = clip.add_stream("libx264", rate=FPS, options=X264_OPTIONS)
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        video.thread_count = 1  # so that the bytes do not depend on the number of cores
        audio = clip.add_stream("aac", rate=rate_hz, layout=layout)
        audio.bit_rate = AUDIO_BITS_PER_S_PER_CHANNEL * blocks.shape[2]
        for i, (block, level) in enumerate(zip(blocks, levels / levels.max(), strict=True)):
            image = av.VideoFrame.from_ndarray(draw_frame(scene, i, float(level)), format="rgb24")
            samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=layout)
            samples.sample_rate, samples.pts = rate_hz, i * block.shape[0]
            clip.mux(video.encode(image))
            clip.mux(audio.encode(samples))
        clip.mux(video.encode(None))
        clip.mux(audio.encode(None))


def main() -> None:
    """Write the files to a temporary folder, as NAME.part, then move them next to this script."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        made = Path(folder)
        write_clip(made / "speech.mp4.part", speech_audio, SPEECH_RATE_HZ)
        write_clip(made / "music.mp4.part", music_audio, MUSIC_RATE_HZ)
        paths = "# The sample clips\n./sample/speech.mp4\n./sample/music.mp4\n"
        (made / "sample_video_paths.txt.part").write_text(paths)
        for part in sorted(made.iterdir()):
            os.replace(part, HERE / part.stem)


if __name__ == "__main__":
    main()
