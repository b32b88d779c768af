"""Heartbeats: long-running work says that it goes on, and with what; a decoder process passes that on."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Whoever wants to know; threads may call it."""

    def beat(self, doing: str) -> None:
        """The work goes on: with `doing` or, where that is empty, with the same as before."""

    def announce(self, seconds: float) -> None:
        """How much media there is to decode, as its container says."""


_listeners: list[Listener] = []


def beat(doing: str = "") -> None:
    """Report progress in `doing`, e.g. a decoded frame or the flow of a pair of frames."""
    for listener in _listeners:
        listener.beat(doing)


def announce(seconds: float) -> None:
    """Report how many seconds of media the source that has been opened will give."""
    for listener in _listeners:
        listener.announce(seconds)


def listen(listener: Listener) -> None:
    """Tell `listener` from now on."""
    _listeners.append(listener)
