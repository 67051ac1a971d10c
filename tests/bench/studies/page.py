"""docs/results.md: each study writes its own section, between two markers, from a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from pvd.crossed import Comparison, Ratio
from pvd.records import Estimate

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "results.md"


def write(name: str, values: Mapping[str, object], page: Path = PAGE) -> None:
    """Fill the template of that name, and put it between the page's markers of that name."""
    text = Template((HERE / f"{name}.md.template").read_text()).substitute(values)
    page.write_text(replaced(page.read_text(), name, text))


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text between two markers."""
    opens, closes = f"<!-- study: {name} -->\n", f"<!-- /study: {name} -->\n"
    before, found, rest = page.partition(opens)
    _, also, after = rest.partition(closes)
    if not (found and also):
        raise SystemExit(f"The page has no {opens.strip()} followed by {closes.strip()}")
    return f"{before}{opens}{text.strip()}\n{closes}{after}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(estimate: Estimate, sign: str = "", digits: int = 1) -> str:
    """`81.8 (75.0 to 87.7)`."""
    numbers = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{number:{sign}.{digits}f}" for number in numbers)
    return f"{value} ({low} to {high})"


def ratio(found: Ratio) -> str:
    """`0.81 (0.70 to 0.93)`, or why there is none."""
    if not found.defined or found.value is None:
        return found.why
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def compared(found: Comparison) -> str:
    """`**+2.1 (+0.4 to +3.8)**`, bold if it is told from none after Holm's correction."""
    text = show(found.estimate, "+")
    return f"**{text}**" if found.verdict in ("better", "worse") else text


def bold(found: Sequence[Comparison]) -> str:
    """What is said of the bold ones of a table, which may be none."""
    if any(one.verdict in ("better", "worse") for one in found):
        return "What is told from no difference after it is bold"
    return "After it none of them is told from no difference"


def verdict(found: Comparison, b: str, a: str) -> str:
    """What a comparison B - A says, in a sentence."""
    low, high = found.estimate.low, found.estimate.high
    if found.verdict in ("better", "worse"):
        return f"{b} is {found.verdict} than {a} by {show(found.estimate, '+')} points."
    if found.verdict == "same numbers":
        return f"{b} and {a} give the same numbers."
    among = " after Holm's correction" if low > 0 or high < 0 else ""
    return f"{b} against {a}: not resolved{among}; between {low:+.1f} and {high:+.1f} points."


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def counted(verdicts: Sequence[str]) -> str:
    """`better at 1 of 4, not resolved at 3`."""
    order = ("better", "worse", "not resolved", "same numbers", "too few seeds")
    found = [(word, verdicts.count(word)) for word in order if word in verdicts]
    return ", ".join(
        f"{word} at {number}" + (f" of {len(verdicts)}" if not place else "")
        for place, (word, number) in enumerate(found)
    )
