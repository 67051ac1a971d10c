"""What teachers behind a provider's API have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import models


@dataclass(kw_only=True)
class Hosted(kit.PromptedTeacher):
    """A model that a provider serves, for money, to whoever has a key."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=8, paid=True)
    keys: ClassVar[tuple[str, ...]]  # environment variables, the first that is set

    base_url: Annotated[str | None, "of a gateway that speaks this API, as its SDK wants it"] = None
    max_tokens: Annotated[int, "of an answer with its thinking, at most"] = 1000
    timeout: Annotated[float, "seconds that a call may take"] = 60.0

    def __post_init__(self) -> None:
        kit.check_url(self.base_url)

    def connect(self) -> Sequence[str]:
        warning = models.check_alive(self.model)
        self.open(self.secret())
        return [warning] if warning else []

    def secret(self) -> str:
        """The key."""
        return kit.secret(*self.keys)

    @abstractmethod
    def open(self, key: str) -> None:
        """Import the SDK and make its client, with its retries off: asking has its own."""

    def parameters(self) -> dict[str, Any]:
        where = {} if self.base_url is None else {"base_url": self.base_url}
        return {"max_tokens": self.max_tokens, **where}

    def estimate(self, slate: pvd.Slate) -> pvd.Tokens:
        detail = self.parameters().get("detail", "low")
        prompt = self.prompt_for(slate)
        return models.estimate(self.model, prompt, self.max_side, detail, self.max_tokens)

    def dollars(self, tokens: pvd.Tokens) -> float:
        return models.dollars(self.model, tokens)
