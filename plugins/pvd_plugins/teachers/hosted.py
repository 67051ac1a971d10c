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
    official: ClassVar[str]  # the provider's own address
    keys: ClassVar[tuple[str, ...]]  # environment variables, the first that is set

    base_url: Annotated[str | None, "of a gateway that speaks this API, as its SDK wants it"] = None
    max_tokens: Annotated[int, "of an answer with its thinking, at most"] = 1000
    timeout: Annotated[float, "seconds that a call may take"] = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        kit.check_url(self.base_url)

    def connect(self) -> Sequence[str]:
        warning = models.check_alive(self.model, self.service)
        self.dollars(pvd.Tokens())  # an unknown price is found before anything is asked
        self.open(self.secret())
        return [warning] if warning else []

    def secret(self) -> str:
        """The key."""
        return kit.secret(*self.keys)

    @abstractmethod
    def open(self, key: str) -> None:
        """Import the SDK and make its client, with its retries off: asking has its own."""

    @property
    def url(self) -> str:
        """Where to ask. Never left to the SDK, which would obey variables that no key knows of."""
        return self.base_url or self.official

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        try:
            return self.call(prompt)
        except (
            AttributeError,
            KeyError,
            IndexError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            # What is between us and the provider may answer in any shape.
            raise kit.Busy(
                f"{self.service} answered in no known shape ({type(error).__name__})"
            ) from None

    @abstractmethod
    def call(self, prompt: kit.Prompt) -> pvd.Reply:
        """One call by the SDK, with its failures turned into ours."""

    def reply(
        self,
        prompt: kit.Prompt,
        text: str,
        model: str | None,
        counted: tuple[int | None, int | None],
        finish: str,
    ) -> pvd.Reply:
        """The reply with its price. Tokens that were not counted are put at the high estimate:
        unknown is not free."""
        if not isinstance(text, str):
            raise TypeError("the text of an answer is no text")
        detail = self.parameters().get("detail", "low")
        high = models.estimate(self.model, prompt, self.max_side, detail, self.max_tokens)
        read, written = counted
        tokens = pvd.Tokens(
            high.input if read is None else read, high.output if written is None else written
        )
        return pvd.Reply(text, model or self.model, tokens, self.dollars(tokens), finish)

    def parameters(self) -> dict[str, Any]:
        where = {} if self.base_url is None else {"base_url": self.base_url}
        return {"max_tokens": self.max_tokens, **where}

    def estimate(self, slate: pvd.Slate) -> pvd.Tokens:
        detail = self.parameters().get("detail", "low")
        prompt = self.prompt_for(slate)
        return models.estimate(self.model, prompt, self.max_side, detail, self.max_tokens)

    def dollars(self, tokens: pvd.Tokens) -> float:
        return models.dollars(self.model, tokens)
