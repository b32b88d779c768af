"""Options and values that had other names: the old ones are accepted, with a notice."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

NAMES = {
    "colours": "color_matrix",
    "fps_filter": "fps_method",
    "keep_frames": "keep_tmp_files",
    "show_kinetics_pred": "show_pred",
}
CHOICES = {
    ("fps_method", "ffmpeg"): ("fps_method", "reencode"),
    ("fps_method", "timestamps"): ("fps_method", "select"),
    ("layout", "audioset"): ("record_fields", "audioset"),
    ("layout", "demo"): ("record_fields", "embeddings"),
    ("layout", "embeddings"): ("record_fields", "embeddings"),
}


def current_name(name: str) -> str:
    """The name that an option has today."""
    if name not in NAMES:
        return name
    log.warning("%s is now called %s", name, NAMES[name])
    return NAMES[name]


def current_choice(name: str, value: str) -> tuple[str, str]:
    """The option and the value that a choice is today."""
    new = CHOICES.get((name, value.strip("'\"")))
    if new is None:
        return name, value
    log.warning("%s=%s is now called %s=%s", name, value, *new)
    return new
