"""What a provider is: the one interface that every tool of a run is called by.

To add one, write a file beside this with a subclass and name it in ``runs/providers/__init__.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from runs.requirements import Issue, Requirements


@dataclass(frozen=True, slots=True)
class File:
    """Hold a file that goes to a provider or comes from one."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """Hold one call: the *payload* exactly as it was reviewed, and what it refers to.

    ``files`` are the contents of the inputs given as ``attachment:att_…``, by the name of the input.
    ``key`` is the same however often this call is tried. ``webhook`` is where the provider may say that it
    has finished; empty where nobody could reach us.
    """

    model: str
    payload: dict[str, Any]
    key: str
    files: Mapping[str, File] = field(default_factory=dict)
    webhook: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """Say that the provider is at it: ``handle`` is its own id of the call, ``look_in`` seconds to wait."""

    handle: str
    look_in: float = 2.0


@dataclass(frozen=True, slots=True)
class Finished:
    """Say what came of a call: ``output`` is JSON, ``files`` what the provider sent as bytes.

    ``flags`` are those the provider itself raised (``nsfw``, ``pii``, ``copyright``), ``confidence`` its own
    from 0 to 1, None where it gave none.
    """

    output: Any
    files: tuple[File, ...] = ()
    flags: tuple[str, ...] = ()
    confidence: float | None = None


Progress = Pending | Finished


class ProviderError(Exception):
    """The call failed. ``str()`` of it says why, ``suggestion`` what a person can do.

    ``retry_in``: seconds after which the very same call may be tried again; None where that would not help.
    ``uncertain``: nobody can say whether the provider has carried it out.
    """

    def __init__(
        self, message: str, *, suggestion: str = "", retry_in: float | None = None, uncertain: bool = False
    ) -> None:
        super().__init__(message)
        self.suggestion, self.retry_in, self.uncertain = suggestion, retry_in, uncertain


class Provider(ABC):
    """Call one kind of service. Instances hold no state: any process may go on with a call."""

    name: ClassVar[str]
    """How a run names it as its tool."""
    also_called: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str]
    repeats_safely: ClassVar[bool]
    """Whether two calls with one key are carried out once."""

    def unavailable(self) -> str:
        """Say why it cannot be called, and which setting to make; an empty text when it can."""
        return ""

    def called(self, model: str, inputs: Mapping[str, Any]) -> str:
        """Return what a call with these *inputs* has its requirements from: the model, unless they say."""
        return model

    @abstractmethod
    def capabilities(self, model: str) -> dict[str, Any]:
        """Return what *model* can do, as JSON for people: at least ``name`` and ``description``."""

    def requirements(self, model: str) -> Requirements | None:
        """Return the inputs of *model* from the schema that the provider publishes; None where it has none.

        Raises:
            ProviderError: it does not answer.
        """
        return None

    def suggest(self, run_input: Mapping[str, Any], requirements: Requirements) -> dict[str, Any]:
        """Return the payload that *run_input* amounts to, before anything is checked.

        What was asked for stands above the example: ``example_input`` < ``config`` < ``prompt`` < ``inputs``.
        """
        found: dict[str, Any] = {
            **(run_input.get("example_input") or {}),
            **(run_input.get("config") or {}),
        }
        if run_input.get("prompt"):
            found[requirements.prompt_name] = run_input["prompt"]
        return {**found, **(run_input.get("inputs") or {})}

    def validate(self, model: str, payload: Mapping[str, Any]) -> list[Issue]:
        """Return what only the provider can find wrong with *payload*."""
        return []

    @abstractmethod
    def submit(self, call: Call) -> Progress:
        """Begin *call*, or carry it out where the service answers at once.

        Raises:
            ProviderError: it failed.
        """

    def look(self, call: Call, handle: str) -> Progress:
        """Look how the call *handle* gets on.

        Raises:
            ProviderError: it failed.
        """
        raise ProviderError(f"{self.title} knows no calls under way.")

    def audit(self, finished: Finished) -> Finished:
        """Return *finished* with the flags and the confidence that its content calls for."""
        return finished
