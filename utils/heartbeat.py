"""Heartbeats: long-running work reports progress, which a decoder process forwards to its supervisor."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def beat() -> None:
    """Report progress, e.g. a decoded frame or the flow of a pair of frames."""
    for listener in _listeners:
        listener()


def listen(listener: Callable[[], None]) -> None:
    """Call `listener` on every beat from now on."""
    _listeners.append(listener)
