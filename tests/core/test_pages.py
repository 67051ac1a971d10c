"""What a value looks like in a table of a page."""

from __future__ import annotations

import json

from pvd.pages import dollars, flat, show


def test_settings_are_dotted_as_the_command_line_takes_them() -> None:
    assert list(flat({"use": "x", "of": {"use": "y"}})) == [("use", "x"), ("of.use", "y")]


def test_cells() -> None:
    values = (None, True, 1234, 1076.0, 14188.25, 0.123456, [1, "a"], "x" * 200)
    shown = [show(value) for value in json.loads(json.dumps(values))]
    numbers = ["1,234", "1,076", "14,188", "0.1235"]
    assert shown == ["\N{EN DASH}", "true", *numbers, '[1, "a"]', "x" * 159 + "…"]


def test_an_unknown_price_is_not_nothing() -> None:
    assert [dollars(amount) for amount in (None, 0.0, 3.25)] == ["unknown", "$0.00", "$3.25"]
