"""The records in which Google released AudioSet's embeddings: a clip each, with a row of 128 bytes per second.

The context has `video_id`, `start_time_seconds`, `end_time_seconds` and `labels`, the feature list `audio_embedding` a
row per window (https://research.google.com/audioset/download.html).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch_zoo.utils.tfrecords.sequence_example import context_of, feature_lists_of, only

FEATURE_LIST = "audio_embedding"
NAME, VIDEO_ID, START, END, LABELS = "name", "video_id", "start_time_seconds", "end_time_seconds", "labels"
ROW_BYTES = 128
WINDOW_SECONDS = 0.96  # of VGGish


@dataclass(frozen=True, slots=True)
class Clip:
    name: str  # of the source, where the record has it (`save_tfrecord_shards`), else the id of the video
    start: float  # s
    labels: tuple[int, ...]  # class numbers
    rows: tuple[bytes, ...]  # the embedding of each window, 128 x uint8


def clip(payload: bytes) -> Clip:
    """The clip of a record. Raises ValueError, which says what is wrong."""
    context, lists = context_of(payload), feature_lists_of(payload)
    if FEATURE_LIST not in lists:
        raise ValueError(f"it has no feature list {FEATURE_LIST}")
    if VIDEO_ID not in context:
        raise ValueError(f"its context has no {VIDEO_ID}; record_fields=audioset writes it")
    name = only(context.get(NAME, context[VIDEO_ID]), bytes, VIDEO_ID).decode(errors="backslashreplace")
    labels = context.get(LABELS, [])
    if any(not isinstance(label, int) for label in labels):
        raise ValueError(f"{LABELS} are not integers")
    rows = tuple(only(row, bytes, FEATURE_LIST) for row in lists[FEATURE_LIST])
    for number, row in enumerate(rows, 1):
        if len(row) != ROW_BYTES:
            raise ValueError(f"row {number} of {FEATURE_LIST} has {len(row)} bytes instead of {ROW_BYTES}")
    return Clip(name, only(context.get(START, []), float, START), tuple(map(int, labels)), rows)
