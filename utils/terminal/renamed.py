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
VALUES = {
    "fps_method": {"ffmpeg": "reencode", "timestamps": "select"},
    "layout": {"demo": "embeddings"},
}


def current_name(name: str) -> str:
    """The name that an option has today."""
    if name not in NAMES:
        return name
    log.warning("%s is now called %s", name, NAMES[name])
    return NAMES[name]


def current_value(name: str, value: str) -> str:
    """The name that a choice of an option has today."""
    new = VALUES.get(name, {}).get(value.strip("'\""))
    if new is None:
        return value
    log.warning("%s=%s is now called %s=%s", name, value, name, new)
    return new
