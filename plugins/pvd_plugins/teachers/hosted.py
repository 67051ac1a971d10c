"""What teachers behind a provider's API have in common."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import forecasts, models

# What comes of reading an answer that has another shape than agreed.
SHAPELESS = (AttributeError, KeyError, IndexError, RecursionError, TypeError, ValueError)
# Failures of the SDKs' HTTP client after which the provider cannot have had the whole request.
UNSENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "WriteError", "WriteTimeout", "ProxyError",
    "UnsupportedProtocol", "LocalProtocolError",
}  # fmt: skip
# Of a question that is not at hand any more: as many pictures and letters as it may well have had.
PICTURES, LETTERS = 5, 4000


@dataclass(kw_only=True)
class Hosted(kit.PromptedTeacher):
    """A model that a provider serves, for money, to whoever has a key."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=64, paid=True, caches=True)
    official: ClassVar[str]  # the provider's own address

    base_url: Annotated[str | None, "of a gateway that speaks this API, as its SDK wants it"] = None
    max_tokens: Annotated[int, kit.AtLeast(1), "of an answer with its thinking, at most"] = 1000
    timeout: Annotated[float, kit.Above(0), "seconds that a call may take"] = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        kit.check_url(self.base_url)
        self._client: Any = None
        self._key = ""
        self._refused: tuple[type[Exception], ...] = ()
        self._dropped: tuple[type[Exception], ...] = ()

    # --- the provider ---------------------------------------------------------------------------

    def connect(self) -> Sequence[str]:
        warning = models.check_alive(self.model, self.service)
        self.open(self.secret())
        return [warning] if warning else []

    def secret(self) -> str:
        """The key."""
        return kit.secret(*self.keys)

    @abstractmethod
    def open(self, key: str) -> None:
        """Import the SDK and make its client, `_client`, with its retries off: asking has its own.
        Also `_key`, and the SDK's exceptions: `_refused` of an HTTP status, `_dropped` of a
        connection."""

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def url(self) -> str:
        """Where to ask. Never left to the SDK, which would obey variables that no key knows of."""
        return self.base_url or self.official

    @contextmanager
    def guarded(self, works: bool = True, unsure: bool = False) -> Iterator[None]:
        """Turns the SDK's failures into ours: theirs cannot be pickled, or hold the key. `works`:
        the provider works for money on what is sent in here, also if no answer comes back;
        `unsure`: it may even do so after it said that it is out of order."""
        lost = kit.Lost if works else kit.Busy
        try:
            yield
        except self._refused as error:
            failure = self.failure(error)
            if unsure and isinstance(failure, kit.Busy) and not failure.limited:
                failure = kit.Lost(str(failure), failure.after)
            raise failure from None
        except self._dropped as error:  # a timeout is one too
            why = kit.one_line(error, self._key) or type(error).__name__
            raise (kit.Busy if _unsent(error) else lost)(f"{self.service}: {why}") from None
        except json.JSONDecodeError:  # a proxy's page, half an answer
            raise lost(f"{self.service} answered with no JSON, or broken JSON") from None
        except SHAPELESS as error:
            # What is between us and the provider may answer in any shape.
            kind = type(error).__name__
            raise lost(f"{self.service} answered in no known shape ({kind})") from None

    @abstractmethod
    def failure(self, error: Any) -> Exception:
        """What an answer with the status of an error means."""

    # --- the answer -----------------------------------------------------------------------------

    def reply(
        self,
        prompt: kit.Prompt | None,
        text: str,
        model: str | None,
        counted: tuple[int | None, int | None],
        finish: str,
        **classes: int | None,
    ) -> pvd.Reply:
        """The reply with its price: of a batch, if there is no prompt. `counted` has the tokens
        read and written, `classes` what is known of their kinds. What was not counted is put at
        the high estimate: unknown is not free."""
        if not isinstance(text, str):
            raise TypeError("the text of an answer is no text")
        read, written = counted
        known = {name: count or 0 for name, count in classes.items()}
        if prompt is None and None in counted:
            # Of a batch: the question is not at hand here, so core reckons what it cost.
            return pvd.Reply(text, model or self.model, pvd.Tokens(), None, finish)
        if prompt is not None and None in counted:
            high = self._forecast(prompt).high
            if read is None:
                read, known["images"] = high.input, high.images
            if written is None:
                written, known["thoughts"] = high.output, high.thoughts
        tokens = pvd.Tokens(read or 0, written or 0, **known)
        price = self.dollars(tokens, batch=prompt is None)
        return pvd.Reply(text, model or self.model, tokens, price, finish)

    # --- money ----------------------------------------------------------------------------------

    def parameters(self) -> dict[str, Any]:
        where = {} if self.base_url is None else {"base_url": self.base_url}
        return {"max_tokens": self.max_tokens, **where}

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return self._forecast(self.prompt_for(slate))

    def _forecast(self, prompt: kit.Prompt) -> pvd.Forecast:
        labels = "".join(f"[{letter}]\n" for letter in prompt.letters)
        schema = self.schema_for(prompt)
        return self._reckoned(
            f"{prompt.system}\n{labels}{prompt.question}",
            json.dumps(schema, separators=(",", ":")) if schema else "",
            self.sizes(prompt),
            json.dumps({"ranking": "".join(prompt.letters)}),
        )

    def _reckoned(
        self, text: str, schema: str, sizes: Sequence[tuple[int, int]], answer: str
    ) -> pvd.Forecast:
        detail = getattr(self, "detail", "low")
        return forecasts.forecast(
            forecasts.Asked(
                self.model, detail, text, schema, sizes, answer, self.thoughts(), self.max_tokens
            )
        )

    def schema_for(self, prompt: kit.Prompt) -> Any:
        """What binds the answer, if anything does."""
        return prompt.schema

    def thoughts(self) -> int:
        """The tokens of hidden thinking that one may expect of an answer."""
        known = models.find(self.model).thoughts
        return forecasts.THOUGHTS if known is None else known

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return models.dollars(self.model, tokens, batch)

    def prices(self) -> str:
        return models.prices(self.model, self.service)


def _unsent(error: BaseException | None) -> bool:
    """Whether the request never went out as a whole: nobody can have worked on it."""
    while error is not None:
        if any(kind.__name__ in UNSENT for kind in type(error).__mro__):
            return True
        error = error.__cause__
    return False
