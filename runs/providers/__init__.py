"""The providers, by the name of the tool that a run calls.

To add one: write a subclass of :class:`runs.providers.provider.Provider` in a file of its own, and name it
in ``REGISTERED``::

    class EchoProvider(Provider):
        name, title, repeats_safely = "echo", "Echo", True

        def capabilities(self, model: str) -> dict[str, Any]:
            return {"name": self.title, "description": "Says what it was told."}

        def submit(self, call: Call) -> Progress:
            return Finished(call.payload)

Nothing else changes: reviews, validation, checkpoints and the API ask only what every provider answers.
"""

from runs.providers.http import HTTPProvider
from runs.providers.openai import OpenAIProvider
from runs.providers.provider import Provider
from runs.providers.replicate import ReplicateProvider

REGISTERED: tuple[type[Provider], ...] = (
    HTTPProvider,
    OpenAIProvider,
    ReplicateProvider,
)


def all_providers() -> tuple[Provider, ...]:
    """Return one of each provider, those too that cannot be called as the server is set up."""
    return tuple(provider() for provider in REGISTERED)


def names() -> list[str]:
    """Return the names of the tools there are."""
    return [provider.name for provider in REGISTERED]


def provider_of(tool: str) -> Provider | None:
    """Return the provider of *tool*, named exactly so; None where there is none."""
    return next(
        (provider() for provider in REGISTERED if tool in (provider.name, *provider.also_called)), None
    )
