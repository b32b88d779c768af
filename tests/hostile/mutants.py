"""Mutants of media files: each number makes one, always the same from the same seeds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from layouts import elements
from seeds import BIT_EXACT, Front, Seed

HEAD_BYTES = 600  # where most containers describe their streams
FORMATS = (">H", "<H", ">I", "<I", ">Q", "<Q", ">f", "<f", ">d", "<d")
FIXED_POINT = 1 << 16  # MP4 states rates and sizes as 16.16
# 0, 1, few, limits of the formats, 64 channels, 65,535 px, 768 kHz and 4 GHz, 10^9 s in several units
HOSTILE = (0, 1, 2, 64, 255, 32767, 65535, 768_000, 2**31 - 1, 4_000_000_000, 2**32 - 1, 10**9, 10**12, 10**15, -1)

Random = np.random.Generator
Mutation = Callable[[Seed, Sequence[Seed], Random], bytes]


@dataclass(frozen=True)
class Mutant:
    """A damaged or lying file."""

    number: int
    path: Path
    seed: Seed
    mutation: str

    @property
    def front(self) -> Front:
        return self.seed.front

    def __str__(self) -> str:
        return f"mutant {self.number}, {self.mutation} of {self.seed.name}"


def write_mutant(number: int, seeds: Sequence[Seed], folder: Path) -> Mutant:
    """Mutant `number`, in a file of its own."""
    names = list(MUTATIONS)
    turn, at = divmod(number, len(seeds))
    seed, name = seeds[at], names[(at + turn) % len(names)]
    path = folder / f"{number}{seed.path.suffix}"
    random = np.random.default_rng(number)
    path.write_bytes(MUTATIONS[name](seed, seeds, random))
    return Mutant(number, path, seed, name)


def _flip_a_bit(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    return _flipped(seed.content, 1, len(seed.content), random)


def _flip_bits_of_the_head(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    return _flipped(seed.content, 3, HEAD_BYTES, random)


def _flip_many_bits(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    return _flipped(seed.content, 20, len(seed.content), random)


def _flipped(content: bytes, number: int, within: int, random: Random) -> bytes:
    made = bytearray(content)
    for at in random.integers(min(within, len(made)), size=number):
        made[at] ^= 1 << int(random.integers(8))
    return bytes(made)


def _truncate(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    return seed.content[: int(random.integers(1, len(seed.content)))]


def _delete_a_slice(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    first, last = _slice(seed.content, random)
    return seed.content[:first] + seed.content[last:]


def _zero_a_slice(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    first, last = _slice(seed.content, random)
    return seed.content[:first] + bytes(last - first) + seed.content[last:]


def _repeat_a_slice(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    first, last = _slice(seed.content, random)
    return seed.content[:last] + seed.content[first:]


def _slice(content: bytes, random: Random) -> tuple[int, int]:
    first = int(random.integers(len(content)))
    return first, min(len(content), first + int(2 ** random.uniform(0, 12)))


def _overwrite_a_field(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """A hostile number somewhere near the start or the end."""
    near = int(random.integers(min(HEAD_BYTES, len(seed.content))))
    at = near if random.integers(3) else max(0, len(seed.content) - 1 - near)
    encoded = _encoded(int(random.choice(HOSTILE)), str(random.choice(FORMATS)))
    return seed.content[:at] + encoded + seed.content[at + len(encoded) :]


def _announce_another_number(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """A rate, size, number of channels or duration replaced wherever it is stated in one encoding."""
    number = seed.numbers[int(random.integers(len(seed.numbers)))]
    formats = [each for each in FORMATS if _encoded(number, each) in seed.content]
    if not formats:
        return _overwrite_a_field(seed, seeds, random)
    each = str(random.choice(formats))
    return seed.content.replace(_encoded(number, each), _encoded(int(random.choice(HOSTILE)), each), 3)


def _encoded(number: float, fmt: str) -> bytes:
    """In one of FORMATS; integers that do not fit are cut off."""
    if fmt[1] in "fd":
        return struct.pack(fmt, number)
    bits = 8 * struct.calcsize(fmt)
    return struct.pack(fmt, round(number) % (1 << bits))


def _resize_an_element(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    sized = [each for each in elements(seed.content) if each.size]
    if not sized:
        return _overwrite_a_field(seed, seeds, random)
    first, last = sized[int(random.integers(len(sized)))].size
    old, length = seed.content[first:last], last - first
    order = "little" if seed.content.startswith(b"RIFF") else "big"
    near = int.from_bytes(old, order) + int(random.choice([-8, -1, 1, 8]))
    choices = (bytes(length), b"\xff" * length, b"\x7f" + b"\xff" * (length - 1))
    size = [*choices, (near % (1 << (8 * length))).to_bytes(length, order)][int(random.integers(4))]
    return seed.content[:first] + size + seed.content[last:]


def _swap_elements(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    content, found = seed.content, elements(seed.content)
    one, other = sorted((found[int(at)] for at in random.integers(len(found), size=2)), key=lambda each: each.start)
    middle = content[one.stop : max(one.stop, other.start)]
    swapped = content[other.start : other.stop] + middle + content[one.start : one.stop]
    return content[: one.start] + swapped + content[max(one.stop, other.stop) :]


def _delete_an_element(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    found = elements(seed.content)
    each = found[int(random.integers(len(found)))]
    return seed.content[: each.start] + seed.content[each.stop :]


def _repeat_an_element(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    found = elements(seed.content)
    each = found[int(random.integers(len(found)))]
    return seed.content[: each.stop] + seed.content[each.start :]


def _append_another_file(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """Other streams, rates and frame sizes midway, in containers that are streams."""
    others = [each for each in seeds if each.path.suffix == seed.path.suffix]
    return seed.content + others[int(random.integers(len(others)))].content


def _graft_another_file(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """The head of one file and the rest of another."""
    others = [each for each in seeds if each.path.suffix == seed.path.suffix]
    other = others[int(random.integers(len(others)))].content
    at = int(random.integers(min(len(seed.content), len(other))))
    return seed.content[:at] + other[at:]


def _drop_key_frames(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """Or the first packets, where each is a key frame."""

    def others(packets: list[Any]) -> list[Any]:
        return [each for each in packets if not each.is_keyframe] or packets[len(packets) // 3 :]

    return _remuxed(seed, others)


def _shuffle_packets(seed: Seed, seeds: Sequence[Seed], random: Random) -> bytes:
    """The data of two packets change places, and some are lost."""

    def shuffled(packets: list[Any]) -> list[Any]:
        one, other = random.integers(len(packets), size=2)
        packets[one], packets[other] = packets[other], packets[one]
        return [each for each in packets if random.random() > 0.1] or packets

    return _remuxed(seed, shuffled)


def _remuxed(seed: Seed, edit: Callable[[list[Any]], list[Any]]) -> bytes:
    """The stream in a new file, with other packets at the times of these; half of the file if FFmpeg can't write it."""
    path = seed.path.with_name(f"remuxed{seed.path.suffix}")
    try:
        with av.open(str(seed.path)) as original, av.open(str(path), "w", options=BIT_EXACT) as made:
            stream = original.streams.best(seed.front)
            packets = [packet for packet in original.demux(stream) if packet.size]
            copy = made.add_stream_from_template(stream)
            times = [(packet.dts, packet.pts) for packet in packets]
            for packet, (packet.dts, packet.pts) in zip(edit(packets), times, strict=False):
                packet.stream = copy
                made.mux(packet)
    except (FFmpegError, ValueError):
        return seed.content[: len(seed.content) // 2]
    return path.read_bytes()


MUTATIONS: dict[str, Mutation] = {
    each.__name__.strip("_").replace("_", " "): each
    for each in (
        _flip_a_bit,
        _flip_bits_of_the_head,
        _flip_many_bits,
        _truncate,
        _delete_a_slice,
        _zero_a_slice,
        _repeat_a_slice,
        _overwrite_a_field,
        _announce_another_number,
        _resize_an_element,
        _swap_elements,
        _delete_an_element,
        _repeat_an_element,
        _append_another_file,
        _graft_another_file,
        _drop_key_frames,
        _shuffle_packets,
    )
}
