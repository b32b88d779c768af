"""How calls to actors fail, and what that means: told by an imaginary Ray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from torch_zoo.utils.engines import ray
from torch_zoo.utils.engines.driver import Driver
from torch_zoo.utils.engines.ray_actor import Ended, Placed
from torch_zoo.utils.engines.ray_cluster import Share
from torch_zoo.utils.engines.worker import Loaded, SourceRequest
from torch_zoo.utils.types import Outcome, Source, WorkerError, no_op

A, B = Source("a.mp4", "a"), Source("b.mp4", "b")


class RayError(Exception):
    pass


class RayActorError(RayError):
    preempted = actor_init_failed = False


class ActorUnavailableError(RayActorError):
    pass


class ImaginaryRay:
    """`calls` has what was called and with what, `answers` what calls return or raise, in order."""

    exceptions = SimpleNamespace(
        RayError=RayError, RayActorError=RayActorError, ActorUnavailableError=ActorUnavailableError
    )

    def __init__(self) -> None:
        self.created = 0
        self.killed: list[int] = []
        self.calls: list[tuple[str, Any]] = []
        self.answers: list[Any] = []
        self.alive = ["node"]

    def remote(self, **options: object) -> Any:
        return lambda actor: SimpleNamespace(options=lambda **shares: SimpleNamespace(remote=self.create))

    def create(self, assignment: object) -> Any:
        self.created += 1
        return SimpleNamespace(
            number=self.created,
            **{name: SimpleNamespace(remote=self.method(name)) for name in ("exchange", "send", "stop")},
        )

    def method(self, name: str) -> Any:
        def call(argument: object) -> object:
            self.calls.append((name, argument))
            return object()

        return call

    def wait(self, calls: list[object], **options: object) -> tuple[list[object], list[object]]:
        return calls[-1:], calls[:-1]

    def get(self, call: object) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "NodeManagerAddress": "", "Resources": {}, "Alive": True} for name in self.alive]

    def kill(self, handle: Any) -> None:
        self.killed.append(handle.number)


@pytest.fixture
def imaginary(monkeypatch: pytest.MonkeyPatch) -> ImaginaryRay:
    monkeypatch.setattr(ray, "RETRY_SECONDS", 0.0)
    return ImaginaryRay()


def begun(imaginary: ImaginaryRay) -> tuple[ray.Actors, Driver]:
    """One actor, whose worker holds both sources."""
    actors = ray.Actors(imaginary, Share(1), lambda token: token)  # type: ignore[arg-type,return-value]
    driver = Driver(actors, ["cpu"], no_op)
    driver.begin([A, B])
    hear(imaginary, actors, driver, [Placed("node"), SourceRequest(2), Loaded()])
    return actors, driver


def hear(imaginary: ImaginaryRay, actors: ray.Actors, driver: Driver, *answers: object) -> list[Outcome]:
    imaginary.answers += answers
    return [outcome for _ in answers for outcome in actors.pass_on(driver)]


def given_to_the_next(imaginary: ImaginaryRay, actors: ray.Actors, driver: Driver) -> list[Source]:
    """What another worker, which has room for both, gets at once: a suspect comes alone."""
    hear(imaginary, actors, driver, [Placed("other"), SourceRequest(2), Loaded()])
    assert (imaginary.created, imaginary.killed) == (2, [1])
    name, told = imaginary.calls[-1]
    assert name == "exchange"
    return [message for message in told if isinstance(message, Source)]


def preempted() -> RayActorError:
    error = RayActorError("the node is gone")
    error.preempted = True
    return error


@pytest.mark.parametrize(
    ("answers", "alive", "given"),
    [
        ([[Ended("its worker was killed")]], ["node"], [A]),
        ([RayActorError("worker process has died")], ["node"], [A]),
        ([RayActorError("worker process has died")], ["other"], [A, B]),
        ([preempted()], ["node"], [A, B]),
        ([ActorUnavailableError("?"), None], ["node"], [A, B]),  # it could be stopped
        ([ActorUnavailableError("?"), ActorUnavailableError("?"), RayActorError("died")], ["node"], [A]),
        ([ActorUnavailableError("?"), RayActorError("died")], ["other"], [A, B]),
    ],
)
def test_only_a_crash_of_the_process_makes_suspects(
    answers: list[Any], alive: list[str], given: list[Source], imaginary: ImaginaryRay
) -> None:
    actors, driver = begun(imaginary)
    imaginary.alive = alive
    assert hear(imaginary, actors, driver, *answers) == []
    assert given_to_the_next(imaginary, actors, driver) == given


def test_an_actor_that_can_not_be_created_says_why(imaginary: ImaginaryRay) -> None:
    actors = ray.Actors(imaginary, Share(1), lambda token: token)  # type: ignore[arg-type,return-value]
    driver = Driver(actors, ["cpu"], no_op)
    driver.begin([A])
    error = RayActorError("Traceback\n  ...\nModuleNotFoundError: No module named 'torch_zoo'")
    error.actor_init_failed = True
    with pytest.raises(WorkerError, match="could not start: ModuleNotFoundError: No module named 'torch_zoo'"):
        hear(imaginary, actors, driver, error)


def test_an_actor_whose_node_dies_before_it_says_where_it_is_is_asked_for_again(imaginary: ImaginaryRay) -> None:
    actors = ray.Actors(imaginary, Share(1), lambda token: token)  # type: ignore[arg-type,return-value]
    driver = Driver(actors, ["cpu"], no_op)
    driver.begin([A])
    assert hear(imaginary, actors, driver, RayActorError("The actor died because its node has died")) == []
    assert imaginary.created == 2


def test_all_actors_are_ended(imaginary: ImaginaryRay) -> None:
    actors, driver = begun(imaginary)
    actors.stop(driver)
    assert imaginary.calls[-1] == ("stop", False)
    assert imaginary.killed == [1]
