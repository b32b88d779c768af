"""How much work a run has done and has left, and how long that will take: pure, times are given.

Work is counted in seconds of media. How long a segment is stands in the list; how long a file is, is known once it has
been opened. Until then a file counts as the mean of all that have been opened: these are the first of the list,
whereas those that have ended would be the short ones. When a source ends, however it does, all of it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch_zoo.utils.engines.news import Reached
from torch_zoo.utils.types import Source

EVIDENCE_SECONDS, EVIDENCE_SHARE = 5.0, 0.03  # of the work, after which (whichever comes first) its end is estimated
HALF_LIFE_SECONDS = 30.0  # after which a speed counts half as much or, if that is longer,
HALF_LIFE_SHARE = 0.125  # after this share of the time since the work began


class Work:
    """The sources of a run that are to be extracted. All times are s of one clock, all lengths s of media."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.num_sources, self.num_ended = len(sources), 0  # with an outcome
        segments = [length for length in map(_listed_length, sources) if length is not None]
        self._segments = sum(segments)  # lengths of those that have not ended
        self._files = len(sources) - len(segments)  # that have not ended
        self._typical = sum(segments) / len(segments) if segments else 1.0  # until a file has been opened
        self._ended = 0.0  # lengths of sources that have ended, as far as they are known
        self._ended_unknown = 0  # how many have ended whose length is not
        self._files_known = 0  # that have ended and had features
        self._files_seconds = 0.0  # lengths of these
        self._media_ended = 0.0  # what has been computed of sources that have ended
        self._stored_later: set[str] = set()  # names of sources that have ended and have no outcome yet
        self._reached: dict[str, Reached] = {}  # how far sources in progress are, by name
        self._names: dict[str, Sequence[str]] = {}  # of these, by worker
        self._covered = 0.0  # what has been computed of these
        self._began: float | None = None
        self._latest = 0.0  # when something has been done
        self._gap = 0.0  # the longest time from one such moment to the next
        self._done_by_then = (0.0, 0)  # lengths that are known, and how many sources of unknown length
        self._recent = (0.0, 0.0, 0.0)  # the same two, and the time they took; the older, the less they count

    def heard(self, worker: str, sources: Mapping[str, Reached], now: float) -> None:
        """A worker, whose networks are loaded, tells how far the sources are that it has in progress."""
        for name in self._names.get(worker, ()):
            self._reached.pop(name, None)
        self._names[worker] = [*sources]
        self._reached |= sources
        self._covered = sum(each.seconds for each in self._reached.values())
        self._take_down(now)

    def computed(self, source: Source, media_seconds: float, now: float) -> None:
        """The features of a source are there, and will be stored later."""
        if source.name not in self._stored_later:
            self._end(source, media_seconds, now)
            self._stored_later.add(source.name)

    def ended(self, source: Source, media_seconds: float, now: float) -> None:
        """A source has an outcome."""
        self.num_ended += 1
        if source.name in self._stored_later:
            self._stored_later.remove(source.name)
        else:
            self._end(source, media_seconds, now)

    @property
    def share(self) -> float:
        """The part of the work that is done, 0 to 1."""
        done, left = self._done_and_left()
        return done / (done + left) if done else 0.0

    @property
    def media_seconds(self) -> float:
        """What has been computed."""
        return self._media_ended + self._covered

    def rate(self, now: float) -> float:
        """Seconds of media per second since the work began; 0 where nothing is known."""
        return self.media_seconds / (now - self._began) if self._began is not None and now > self._began else 0.0

    def seconds_left(self, now: float) -> float | None:
        """None until there is evidence. It counts down, but not for longer than it has ever taken to hear of more."""
        done, left = self._done_and_left()
        known, unknown, seconds = self._recent
        work = known + unknown * self._mean
        if self._began is None or not (work > 0 and seconds > 0):
            return None
        enough = self.media_seconds and done >= EVIDENCE_SHARE * (done + left)
        if not enough and self._latest - self._began < EVIDENCE_SECONDS:
            return None
        return max(0.0, left * seconds / work - min(now - self._latest, self._gap))

    def _end(self, source: Source, media_seconds: float, now: float) -> None:
        reached = self._reached.pop(source.name, Reached())
        self._covered -= reached.seconds
        self._media_ended += media_seconds
        length = _listed_length(source)
        if length is not None:
            self._segments -= length
        else:
            self._files -= 1
            length = reached.duration or media_seconds or None
        if length is None:
            self._ended_unknown += 1
        else:
            self._ended += length
        if source.end is None and media_seconds:
            self._files_known += 1
            self._files_seconds += media_seconds
        self._take_down(now)

    @property
    def _opened(self) -> list[float]:
        """Lengths of files in progress."""
        return [each.duration for each in self._reached.values() if each.duration is not None]

    @property
    def _mean(self) -> float:
        """Length of the files that have been opened."""
        known = self._files_known + len(self._opened)
        return (self._files_seconds + sum(self._opened)) / known if known else self._typical

    def _done_and_left(self) -> tuple[float, float]:
        opened, mean = self._opened, self._mean
        done = self._ended + self._ended_unknown * mean + self._covered
        left = self._segments + sum(opened) + (self._files - len(opened)) * mean - self._covered
        return done, max(0.0, left)

    def _take_down(self, now: float) -> None:
        """Measure the speed, once work has begun."""
        done = self._ended + self._covered, self._ended_unknown
        news = [after - before for after, before in zip(done, self._done_by_then, strict=True)]
        if self._began is None:
            self._began = self._latest = now
        elif max(news) > 0:
            seconds = now - self._latest
            half_life = max(HALF_LIFE_SECONDS, HALF_LIFE_SHARE * (now - self._began))
            kept = 0.5 ** (seconds / half_life)
            known, unknown, before = self._recent
            self._recent = kept * known + max(0.0, news[0]), kept * unknown + news[1], kept * before + seconds
            self._latest, self._gap = now, max(self._gap, seconds)
        self._done_by_then = done


def _listed_length(source: Source) -> float | None:
    """Of a segment whose end is in the list, s."""
    return None if source.end is None else source.end - source.start
