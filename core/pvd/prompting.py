"""What a vision-language model is shown and asked, and how its answer is read: once, for all.

Pictures come first and the persona last, so that providers can cache what the questions share.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from itertools import permutations
from pathlib import Path
from string import ascii_uppercase
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pvd.bounds import AtLeast, AtMost
from pvd.discovery import unknown
from pvd.errors import BadInput, UnknownName
from pvd.failures import Malformed, Refused
from pvd.images import jpeg, scaled_size
from pvd.protocols import Teacher
from pvd.reading import read_text
from pvd.records import Item, Persona, Ranking, Reply, Request, Slate

if TYPE_CHECKING:
    from jinja2 import Template

ENUMERATED = 5  # items a slate up to which every permutation can be listed: 5! = 120 values
LABEL = re.compile(r"\[([A-Za-z])\]")


@dataclass(frozen=True)
class Prompt:
    """One slate in words: labelled pictures between `system` and `question`."""

    system: str  #: what it is told before the pictures
    letters: tuple[str, ...]  #: the labels of the items, in the order shown
    items: tuple[Item, ...]  #: whose pictures are shown
    question: str  #: what it is asked after the pictures; the persona is in here
    schema: Mapping[str, Any]  #: JSON schema of the answer
    shared: bool = False  #: other questions begin with the same pictures

    def body(self, side: int) -> dict[str, Any]:
        """It as JSON for the store's key: pictures by their digest and how they are scaled."""
        return {
            "system": self.system,
            "pictures": [
                [k, item.digest] for k, item in zip(self.letters, self.items, strict=True)
            ],
            "encoding": f"jpeg {side}",
            "question": self.question,
            "schema": self.schema,
        }


def render(name: str, persona: Persona, items: Sequence[Item]) -> Prompt:
    """The prompt of this name, or of this .j2 file, for a persona and the items in their order."""
    letters = tuple(ascii_uppercase[: len(items)])
    if len(letters) < len(items):
        raise BadInput(f"A slate of {len(items)} items has no labels; train.size is at most 26.")
    system, question = _said(name, persona.text, letters)
    return Prompt(system, letters, tuple(items), question, schema_of(letters))


@lru_cache(maxsize=4096)  # of a few kilobytes each; a persona is asked about again and again
def _said(name: str, text: str, letters: tuple[str, ...]) -> tuple[str, str]:
    """The two blocks of a prompt in words."""
    template = _template(name)
    values = {"persona": harmless(text), "letters": letters}
    said = []
    for block in ("system", "question"):
        if block not in template.blocks:
            raise BadInput(
                f"The prompt {name} has no block {block!r}; write "
                f"{{% block {block} %}}...{{% endblock %}}."
            )
        try:
            said.append("".join(template.blocks[block](template.new_context(values))).strip())
        except Exception as error:  # a template computes: whatever that raises is its fault
            raise BadInput(
                f"The prompt {name} cannot be rendered: {error}; it may use persona and letters."
            ) from None
    return said[0], said[1]


def prompts() -> list[str]:
    """The names of the prompts that come with pvd."""
    folder = resources.files("pvd") / "prompts"
    return sorted(f.name.removesuffix(".j2") for f in folder.iterdir() if f.name.endswith(".j2"))


@lru_cache
def source(name: str) -> str:
    """A prompt's text as it was written. Read once: what is sent must be what the key says, also if
    the file is edited meanwhile."""
    if name in prompts():
        return (resources.files("pvd") / "prompts" / f"{name}.j2").read_text(encoding="utf-8")
    if not name.endswith(".j2"):
        raise UnknownName(unknown("prompt", name, prompts()) + " Or name a file that ends in .j2.")
    return read_text(Path(name), "prompt file")


@lru_cache
def _template(name: str) -> Template:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True)
    try:
        return environment.from_string(source(name))
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise BadInput(f"The prompt {name}, line {line} is no template: {error}.") from None


def harmless(text: str) -> str:
    """A persona's text as data: it can neither close its tag nor pose as a picture's label."""
    return LABEL.sub(r"(\1)", text.replace("<", "&lt;"))


@lru_cache
def schema_of(letters: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of an answer. Providers do not enforce distinct entries of an array, but do
    enforce an enum: where that is short enough, only permutations can be said at all."""
    if len(letters) <= ENUMERATED:
        ranking: dict[str, Any] = {
            "type": "string",
            "enum": ["".join(order) for order in permutations(letters)],
        }
    else:
        ranking = {"type": "array", "items": {"type": "string", "enum": list(letters)}}
    return {
        "type": "object",
        "properties": {"ranking": ranking},
        "required": ["ranking"],
        "additionalProperties": False,
    }


FENCE = re.compile(r"^```[A-Za-z]*\s*(.*?)\s*```$", re.DOTALL)
OBJECT = re.compile(r'\{\s*"ranking"\s*:.*?\}', re.DOTALL)


def read_ranking(text: str, letters: Sequence[str]) -> Ranking:
    """The strict ranking in a reply. What had to be overlooked is in its attribute `tidied`.

    Code fences, words around the object and lower case are overlooked. A letter that is missing,
    doubled or unknown makes the reply Malformed: to guess would be to make up a judgment.
    """
    tidied = []
    inner = text.strip()
    if fenced := FENCE.match(inner):
        inner = fenced[1]
        tidied.append("fence")
    value = _json(inner)
    # More than one, as of a model that changed its mind: nobody knows which is meant.
    if value is None and len(found := {match[0] for match in OBJECT.finditer(inner)}) == 1:
        value = _json(found.pop())
        tidied.append("prose")
    if not isinstance(value, dict) or "ranking" not in value:
        raise Malformed(f"no JSON object with a ranking: {text[:80]!r}", "no JSON")
    ranking = value["ranking"]
    if isinstance(ranking, str):
        ranking = re.findall(r"\w", ranking)
    if not isinstance(ranking, list) or not all(isinstance(label, str) for label in ranking):
        raise Malformed(f"the ranking is no list of letters: {text[:80]!r}", "no letters")
    order = [label.strip() for label in ranking]
    if order != [label.upper() for label in order]:
        order = [label.upper() for label in order]
        tidied.append("case")
    if sorted(order) != sorted(letters):
        raise Malformed(f"no permutation of {', '.join(letters)}: {text[:80]!r}", "no permutation")
    places = tuple((list(letters).index(label),) for label in order)
    return Ranking(places, attributes={"tidied": tidied} if tidied else {})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=2048)  # about 80 MB of pictures with 512 pixels a side
def _encoded(item: _ByDigest, side: int) -> bytes:
    return jpeg(item.item.open(), side)


@lru_cache(maxsize=65536)
def _size(item: _ByDigest, side: int) -> tuple[int, int]:
    return scaled_size(item.item.read(), side, item.item.where)


class _ByDigest:
    """An item that equals another one with the same picture, so that each is encoded once."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def __hash__(self) -> int:
        return hash(self.item.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and self.item.digest == other.item.digest


@dataclass(kw_only=True)
class PromptedTeacher(Teacher):
    """A teacher that is shown labelled pictures and a question, and replies in letters. A provider
    defines `ask`, and `parameters` for what it sends beside the prompt."""

    service: ClassVar[str] = ""  #: who answers; teachers with one service share their answers

    model: Annotated[str, "the model's id, as its provider writes it"]  #: the model's id
    prompt: Annotated[str, "a named prompt, or the path of a .j2 file"] = "default"  #: its words
    #: pixels to which a picture's longer side is scaled down, from 16 to 4096
    max_side: Annotated[
        int, AtLeast(16), AtMost(4096), "pixels to which a picture's longer side is scaled down"
    ] = 512

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        """Raise BadInput for a mistake in the prompt: it is found before anything is asked."""
        render(self.prompt, personas[0], items[:2])

    @abstractmethod
    def ask(self, prompt: Prompt) -> Reply:
        """One call. Raise Busy, Rejected or ProviderFailure, and put what the provider says about
        the answer's end into `finish`: `refused`, `truncated`, or nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The run ends: `close`, whatever for."""
        self.close()

    def close(self) -> None:
        """Let go of what `connect` made."""

    def parameters(self) -> dict[str, Any]:
        """What is sent beside the prompt, as JSON, never a secret; part of the store's key."""
        return {}

    def prompt_for(self, slate: Slate) -> Prompt:
        """What is said about a slate."""
        return render(self.prompt, slate.persona, slate.items)

    def pictures(self, prompt: Prompt) -> list[bytes]:
        """The pictures of a prompt as JPEG, each encoded once."""
        return [_encoded(_ByDigest(item), self.max_side) for item in prompt.items]

    def sizes(self, prompt: Prompt) -> list[tuple[int, int]]:
        """Width and height that each of these pictures will have; cheap, nothing is unpacked."""
        return [_size(_ByDigest(item), self.max_side) for item in prompt.items]

    def request(self, slate: Slate) -> Request:
        """Service, model, parameters, words and pictures: what is sent, and nothing else."""
        body = {
            "service": self.service,
            "model": self.model,
            "parameters": self.parameters(),
            **self.prompt_for(slate).body(self.max_side),
            "repeat": slate.repeat,
        }
        return Request(slate, body)

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """`ask` for each request."""
        return [
            self.ask(replace(self.prompt_for(request.slate), shared=request.shared))
            for request in requests
        ]

    def read(self, request: Request, reply: Reply) -> Ranking:
        """The strict ranking in it: JSON, a permutation of the letters. Fences, words around it and
        lower case are overlooked, and noted in the ranking's attribute `tidied`."""
        if reply.finish == "refused":
            raise Refused(f"{reply.model} refused: {reply.text[:80]!r}")
        if reply.finish == "truncated":
            raise Malformed(f"the answer was cut off: {reply.text[:80]!r}", "cut off")
        return read_ranking(reply.text, [label for label, _ in request.body["pictures"]])
