"""Signs of life: whoever does long work says so, and a decoder process passes it on to those who watch it."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def beat() -> None:
    """Progress has been made: a frame was decoded, a pair of frames compared."""
    for listener in _listeners:
        listener()


def listen(listener: Callable[[], None]) -> None:
    """Call `listener` at each beat from now on."""
    _listeners.append(listener)
