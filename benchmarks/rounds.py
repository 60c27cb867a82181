"""Take samples in turn (A B C A B C …) and hold each against the others of its own round."""

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

FOREIGN_LIMIT = 0.20
REPEATS = 2


@dataclass(slots=True)
class Sample:
    """Hold one measurement: *value* (in *unit* of its measure), and what it cost."""

    value: float
    requests: int = 0
    cpu: dict[str, float] = field(default_factory=dict)  # seconds
    foreign: float = 0.0
    details: dict[str, float] = field(default_factory=dict)

    def cost(self, tree: str) -> float:
        """Return CPU-µs per request of one process tree."""
        return self.cpu.get(tree, 0.0) / self.requests * 1e6 if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Contender:
    """Name one way of doing the work, with the function that takes a sample of it."""

    name: str
    sample: Callable[[], Awaitable[Sample]]


@dataclass(frozen=True, slots=True)
class Spread:
    """Hold a median with the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


Rounds = list[dict[str, Sample]]


async def take(contenders: list[Contender], rounds: int) -> Rounds:
    """Take *rounds* rounds; a sample during which others used much of the machine is taken again."""
    taken: Rounds = []
    for _ in range(rounds):
        samples = {}
        for contender in contenders:
            sample = await contender.sample()
            for _ in range(REPEATS):
                if sample.foreign <= FOREIGN_LIMIT:
                    break
                again = await contender.sample()
                sample = min(sample, again, key=lambda one: one.foreign)
            samples[contender.name] = sample
        taken.append(samples)
    return taken


def values(rounds: Rounds, name: str) -> Spread:
    """Return the values of one contender."""
    return Spread.of([samples[name].value for samples in rounds])


def ratio(rounds: Rounds, name: str, other: str) -> Spread:
    """Return how many times *other* each round's *name* is."""
    return Spread.of([samples[name].value / samples[other].value for samples in rounds])


def detail(rounds: Rounds, name: str, key: str) -> Spread:
    """Return one detail of one contender."""
    return Spread.of([samples[name].details[key] for samples in rounds])


def cost(rounds: Rounds, name: str, tree: str) -> float:
    """Return the median CPU-µs per request."""
    return statistics.median(samples[name].cost(tree) for samples in rounds)


def foreign(rounds: Rounds) -> float:
    """Return the greatest share of the machine that others had in any sample."""
    return max(sample.foreign for samples in rounds for sample in samples.values())
