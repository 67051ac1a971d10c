"""What pvd adds to a provider's own SDK: slates asked by pvd, and by a bare loop over the same SDK.

    python tests/bench/throughput.py [--slates 2000] [--pairs 5] [--teacher openai ...]

The bare loop is 64 threads that send the same messages, parse the answers, and keep nothing. Each
side runs in a process of its own, against a provider in a process of its own, in the order a b b a;
it says how much longer pvd takes, pair by pair.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

import pvd
from pvd import kit, testing
from pvd.asking import Desk, opened
from pvd.records import Slate
from pvd.settings import AskSettings
from pvd.store import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "providers"))
from asked import KEY, KEYS, options
from fake import Fake

TEACHERS = ("openai", "claude", "gemini")
AT_ONCE, DELAY = 64, 0.05
PICTURES, PEOPLE, SIZE = 40, 300, 5
WIDE, HIGH = 300, 400

# What is said of a slate: the letters and pictures in their order, system, question and schema.
Said = tuple[Sequence[tuple[str, bytes]], str, str, Any]


def picture(number: int) -> bytes:
    """A grainy JPEG of about 30 kB, as photographs are."""
    rng = numpy.random.default_rng(number)
    small = rng.integers(0, 256, (HIGH // 4, WIDE // 4, 3), dtype=numpy.uint8)
    grains = rng.normal(0, 12, (HIGH, WIDE, 3))
    whole = numpy.asarray(Image.fromarray(small).resize((WIDE, HIGH), Image.Resampling.BICUBIC))
    image = Image.fromarray((whole + grains).clip(0, 255).astype(numpy.uint8))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def slates(count: int) -> list[Slate]:
    """Some of forty pictures for each."""
    drawn = [picture(number) for number in range(PICTURES)]
    items = [pvd.Item(f"item-{n}", partial(bytes, data)) for n, data in enumerate(drawn)]
    people, lot = testing.personas(PEOPLE), random.Random(0)
    return [
        Slate(people[n % PEOPLE], tuple(lot.sample(items, SIZE)), n // PEOPLE) for n in range(count)
    ]


# --- both sides -----------------------------------------------------------------------------------


def by_pvd(teacher: kit.PromptedTeacher, asked: Sequence[Slate], folder: Path) -> float:
    """The seconds that it takes pvd."""
    with Store(folder / "answers.sqlite") as store, opened(teacher, 1) as ready:
        desk = Desk(store, AskSettings(workers=AT_ONCE))
        desk.post.connect(ready)
        teacher.ask(teacher.prompt_for(asked[0]))  # what an SDK does the first time
        start = time.perf_counter()
        judgments = desk.judgments(ready, len(asked), lambda number, attempt: asked[number])
        seconds = time.perf_counter() - start
    assert all(judgments)
    return seconds


def by_hand(teacher: kit.PromptedTeacher, asked: Sequence[Slate], _: Path) -> float:
    """The seconds that it takes a bare loop."""
    call = {"openai": openai_call, "claude": claude_call, "gemini": gemini_call}[teacher.service]
    ask = call(teacher)
    prompts = [teacher.prompt_for(slate) for slate in asked]

    def said(prompt: kit.Prompt) -> Said:
        shown = zip(prompt.letters, (encoded[item.id] for item in prompt.items), strict=True)
        return list(shown), prompt.system, prompt.question, prompt.schema

    def answer(prompt: kit.Prompt) -> str:
        return str(json.loads(ask(*said(prompt)))["ranking"])

    encoded = {item.id: kit.jpeg(item.open(), teacher.max_side) for item in prompts[0].items}
    answer(prompts[0])
    start = time.perf_counter()
    for item in {item.id: item for prompt in prompts for item in prompt.items}.values():
        encoded[item.id] = kit.jpeg(item.open(), teacher.max_side)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(answer, prompts))
    seconds = time.perf_counter() - start
    assert {len(order) for order in found} == {SIZE}
    return seconds


def openai_call(teacher: Any) -> Callable[..., str]:
    import openai

    client = openai.OpenAI(api_key=KEY, base_url=teacher.url, timeout=60.0, max_retries=0)

    def ask(shown: Sequence[tuple[str, bytes]], system: str, question: str, schema: Any) -> str:
        parts: list[Any] = []
        for letter, data in shown:
            url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
            parts += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
            ]
        format: Any = {"name": "ranking", "strict": True, "schema": schema}
        got = client.chat.completions.create(
            model=teacher.model,
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": [*parts, {"type": "text", "text": question}]},
            ],
            max_completion_tokens=1000,
            reasoning_effort="none",
            response_format={"type": "json_schema", "json_schema": format},
        )
        return got.choices[0].message.content or ""

    return ask


def claude_call(teacher: Any) -> Callable[..., str]:
    import anthropic

    client: Any = anthropic.Anthropic(
        api_key=KEY, base_url=teacher.url, timeout=60.0, max_retries=0
    )

    def ask(shown: Sequence[tuple[str, bytes]], system: str, question: str, schema: Any) -> str:
        parts: list[Any] = []
        for letter, data in shown:
            encoded = base64.b64encode(data).decode()
            source = {"type": "base64", "media_type": "image/jpeg", "data": encoded}
            parts += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image", "source": source},
            ]
        got = client.messages.create(
            model=teacher.model,
            max_tokens=1000,
            system=system,
            messages=[{"role": "user", "content": [*parts, {"type": "text", "text": question}]}],
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        return str(got.content[0].text)

    return ask


def gemini_call(teacher: Any) -> Callable[..., str]:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=teacher.url, timeout=60_000)
    client = genai.Client(api_key=KEY, vertexai=False, http_options=options)

    def ask(shown: Sequence[tuple[str, bytes]], system: str, question: str, schema: Any) -> str:
        parts = []
        for letter, data in shown:
            parts += [
                types.Part.from_text(text=f"[{letter}]"),
                types.Part.from_bytes(data=data, mime_type="image/jpeg"),
            ]
        parts.append(types.Part.from_text(text=question))
        got = client.models.generate_content(
            model=teacher.model,
            contents=[types.Content(role="user", parts=parts)],
            config=types.GenerateContentConfig(
                system_instruction=system,
                max_output_tokens=2000,
                media_resolution=types.MediaResolution.MEDIA_RESOLUTION_LOW,
                response_mime_type="application/json",
                response_json_schema=schema,
            ),
        )
        return got.text or ""

    return ask


SIDES = {"pvd": by_pvd, "bare": by_hand}


# --- processes ------------------------------------------------------------------------------------


def serve() -> None:
    """The provider, until its stdin ends."""
    with Fake() as fake:
        fake.delay = DELAY
        print(fake.url, flush=True)
        sys.stdin.read()


@contextmanager
def provider() -> Iterator[str]:
    """The address of one in a process of its own."""
    words = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure(side: str, name: str, count: int, url: str) -> dict[str, float]:
    """One side, in this process."""

    class Address:
        """All that the options need of a provider."""

    address: Any = Address()
    address.url = url
    teacher = pvd.load("teacher", name, **options(name, address))
    asked = slates(count)
    with tempfile.TemporaryDirectory() as folder:
        before = time.process_time()
        seconds = SIDES[side](teacher, asked, Path(folder))
        return {"seconds": seconds, "cpu": time.process_time() - before}


def alone(side: str, name: str, count: int) -> dict[str, float]:
    """One side, in a process of its own."""
    with provider() as url:
        words = [sys.executable, __file__, "--side", side, "--teacher", name]
        done = subprocess.run(
            [*words, "--slates", str(count), "--url", url],
            env={**os.environ, **dict.fromkeys(KEYS.values(), KEY), "NO_PROXY": "127.0.0.1"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return dict(json.loads(done.stdout))


def compare(name: str, pairs: int, count: int) -> None:
    """Print the ratio of both sides."""
    ratios, cpu = [], []
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(pairs):
        order = list(SIDES) if number % 2 == 0 else list(SIDES)[::-1]
        found = {side: alone(side, name, count) for side in order}
        for side, one in found.items():
            rates[side].append(count / one["seconds"])
        ratios.append(found["pvd"]["seconds"] / found["bare"]["seconds"])
        cpu.append(found["pvd"]["cpu"] / found["bare"]["cpu"])
        print(f"  {name} pair {number + 1}: {ratios[-1]:.3f} ({found})", file=sys.stderr)
    mid = statistics.median
    print(
        f"{name:<8} {mid(rates['pvd']):6.0f} slates/s by pvd, {mid(rates['bare']):6.0f} bare; "
        f"takes {mid(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f}, "
        f"{pairs} pairs), {mid(cpu):.2f} times the CPU; load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Compare both sides for each teacher."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slates", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--teacher", action="append", choices=TEACHERS)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
    elif given.side:
        print(json.dumps(measure(given.side, given.teacher[0], given.slates, given.url)))
    else:
        for name in given.teacher or TEACHERS:
            compare(name, given.pairs, given.slates)


if __name__ == "__main__":
    main()
