"""How much is measured: everything, or enough to notice that something went wrong."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """Say how many rounds of how many seconds, on how many rows, with how many who wait."""

    rounds: int
    seconds: float
    sizes: tuple[int, ...]
    overdue: int
    waiting: int

    @classmethod
    def full(cls) -> "Scale":
        return cls(rounds=5, seconds=2.0, sizes=(10_000, 100_000, 1_000_000), overdue=100_000, waiting=1_000)

    @classmethod
    def quick(cls) -> "Scale":
        return cls(rounds=2, seconds=1.0, sizes=(10_000, 100_000), overdue=10_000, waiting=300)

    def with_rounds(self, rounds: int) -> "Scale":
        return replace(self, rounds=rounds)
