"""Colors and bold text on a terminal; plain text everywhere else.

NO_COLOR turns them off (no-color.org), FORCE_COLOR turns them on without a terminal, TERM=dumb is a terminal without
them.
"""

from __future__ import annotations

import os
from typing import Literal, TextIO

Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]

# ECMA-48, "select graphic rendition"
_CODES: dict[Style, int] = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_RESET = "\x1b[0m"


def styled(text: str, *styles: Style, stream: TextIO) -> str:
    """The text in these styles if `stream`, where it will be printed, shows them; else as it is."""
    if not text or not shows_colors(stream):
        return text
    return f"\x1b[{';'.join(str(_CODES[style]) for style in styles)}m{text}{_RESET}"


def shows_colors(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()
