"""The kit: what plug-in authors rely on, at its edges."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pvd
from pvd import kit, testing
from pvd.errors import BadInput, MissingPrerequisite
from pvd.kit import Malformed, image_path, need, persona_record, read_json, read_order, secret
from pvd.records import Ranking

# --- secrets ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PVD_TEST_KEY", "PVD_TEST_OTHER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"PVD_TEST_KEY": "sk-1"}, "sk-1"),
        ({"PVD_TEST_OTHER": "sk-2"}, "sk-2"),
        ({"PVD_TEST_KEY": "sk-1", "PVD_TEST_OTHER": "sk-2"}, "sk-1"),
        ({"PVD_TEST_KEY": "", "PVD_TEST_OTHER": "sk-2"}, "sk-2"),
        ({"PVD_TEST_KEY": " \t\n", "PVD_TEST_OTHER": "sk-2"}, "sk-2"),
        ({"PVD_TEST_KEY": "  sk-1\r\n"}, "sk-1"),
    ],
)
def test_the_first_name_that_is_set_counts(
    environment: dict[str, str], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert secret("PVD_TEST_KEY", "PVD_TEST_OTHER") == key


def test_no_key_names_every_variable() -> None:
    with pytest.raises(MissingPrerequisite) as caught:
        secret("PVD_TEST_KEY", "PVD_TEST_OTHER")
    assert str(caught.value) == (
        "No key: set the environment variable PVD_TEST_KEY or PVD_TEST_OTHER."
    )
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "key", ["sk-se\ncret", "sk-se\rcret", "sk-se cret", "sk-sécret", "sk\tcret"]
)
def test_a_key_that_is_none_is_refused_and_never_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PVD_TEST_KEY", key)
    monkeypatch.setenv("PVD_TEST_OTHER", "sk-good")
    with pytest.raises(MissingPrerequisite, match="The key in PVD_TEST_KEY has") as caught:
        secret("PVD_TEST_KEY", "PVD_TEST_OTHER")
    assert "cret" not in str(caught.value)


# --- replies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"order": ["A", "B"]}',
        '  {"order": ["A", "B"]}\n',
        '```json\n{"order": ["A", "B"]}\n```',
        '```\n{"order": ["A", "B"]}\n```',
        '\n ```json {"order": ["A", "B"]} ``` \n',
        '```JSON\r\n{"order": ["A", "B"]}\r\n```',
        '```{"order": ["A", "B"]}```',
        '```javascript\n{"order":\n["A",\n"B"]}```',
    ],
)
def test_json_is_read_fenced_or_not(text: str) -> None:
    assert read_json(text) == {"order": ["A", "B"]}


@pytest.mark.parametrize("value", ["[1, 2]", "3", "null", '"A"', "true", '"```"'])
def test_any_json_value_is_read_as_it_is(value: str) -> None:
    import json

    assert read_json(value) == json.loads(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Here is my ranking: A, B",
        '{"order": ["A", "B"',
        "```json\n```",
        "```",
        "``````",
        '```json\n{"a": 1}',
        "{'order': ['A']}",
        '{"a": 1} {"a": 2}',
        "[" * 100_000,
        "9" * 5_000,
    ],
)
def test_what_is_no_json_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="not JSON") as caught:
        read_json(text)
    assert len(str(caught.value)) < 200, "a long reply is not repeated in the message"


def test_endless_white_space_is_refused_at_once() -> None:
    """Models in JSON mode sometimes write newlines until their limit."""
    start = time.thread_time()
    for text in ("```json" + "\n" * 50_000, "```" + " \n" * 50_000 + "x", "`" * 50_000):
        with pytest.raises(Malformed):
            read_json(text)
    assert time.thread_time() - start < 2


@settings(deadline=None)
@given(st.text() | st.text('`{}[]"json:,1\n ', max_size=40))
def test_any_reply_is_json_or_malformed(text: str) -> None:
    try:
        read_json(text)
    except Malformed as error:
        assert str(error).startswith("not JSON")  # noqa: PT017


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["A", "B", "C"], (0, 1, 2)),
        (["C", "A", "B"], (2, 0, 1)),
        (["c", "a", "b"], (2, 0, 1)),
        ([" C", "A ", "\tB\n"], (2, 0, 1)),
        (("B", "C", "A"), (1, 2, 0)),
    ],
)
def test_an_order_lists_every_name_once(labels: Any, order: tuple[int, ...]) -> None:
    assert read_order(labels, "ABC") == Ranking.from_order(order)


def test_the_names_may_be_numbers() -> None:
    assert read_order([3, 1, 2], ["1", "2", "3"]) == Ranking.from_order([2, 0, 1])
    assert read_order(["image 2", "IMAGE 1"], ["Image 1", "Image 2"]) == Ranking.from_order([1, 0])


@pytest.mark.parametrize(
    "labels",
    [
        ["A", "B"],
        ["A", "B", "C", "C"],
        ["A", "A", "B"],
        ["A", "B", "D"],
        ["A", "B", None],
        [["A"], "B", "C"],
        [],
        "ABC",
        None,
        5,
        {"A": 1, "B": 2, "C": 3},
        True,
    ],
)
def test_what_is_no_permutation_is_malformed(labels: Any) -> None:
    with pytest.raises(Malformed):
        read_order(labels, "ABC")


# --- packages ---------------------------------------------------------------------------------


def test_a_package_that_is_there_is_returned() -> None:
    import json.decoder

    assert need("json.decoder", "any") is json.decoder


@pytest.mark.parametrize("module", ["a_package_nobody_has", "a_package_nobody_has.deep.inside"])
def test_a_missing_package_is_exit_code_3_with_the_command(module: str) -> None:
    with pytest.raises(MissingPrerequisite) as caught:
        need(module, "gemini")
    assert str(caught.value) == (
        f"{module} is not installed; type: pip install 'pvd-distill[gemini]'"
    )
    assert caught.value.exit_code == 3


def test_a_package_that_lacks_another_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import something_else_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_else_nobody_has"):
        need("half_installed", "gemini")


def test_a_package_that_breaks_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_install.py").write_text("raise ImportError('libfoo.so')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"libfoo\.so"):
        need("broken_install", "gemini")


# --- pictures' paths --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, beside it a secret, and links."""
    inside = tmp_path / "catalog"
    (inside / "sub").mkdir(parents=True)
    (inside / "a.png").write_bytes(b"picture")
    (tmp_path / "catalog-2").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (inside / "out.png").symlink_to(tmp_path / "secret.png")
    (inside / "up").symlink_to(tmp_path)
    (inside / "in.png").symlink_to(inside / "a.png")
    (inside / "round").symlink_to(inside / "round")
    return inside


@pytest.mark.parametrize(
    "name", ["a.png", "./a.png", "sub/../a.png", "in.png", "up/catalog/a.png", "not there.png", "ü"]
)
def test_a_path_inside_is_taken(folder: Path, name: str) -> None:
    assert image_path(folder, name, "row 1") == folder / name


def test_an_absolute_path_inside_is_taken(folder: Path) -> None:
    assert image_path(folder, str(folder / "a.png"), "row 1") == folder / "a.png"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "..",
        "sub/../../secret.png",
        "/etc/passwd",
        "../catalog-2/a.png",
        "out.png",
        "up/secret.png",
        "a\0.png",
        "a\ud800.png",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "C:\\pictures\\a.png",
        "c:/pictures/a.png",
    ],
)
def test_a_path_that_leads_out_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"^items\.csv, line 3: ") as caught:
        image_path(folder, name, "items.csv, line 3")
    assert repr(name) in str(caught.value)


def test_a_loop_of_links_escapes_as_no_other_error(folder: Path) -> None:
    with suppress(BadInput):  # from Python 3.13 on it is a path like any other
        assert image_path(folder, "round", "row 1") == folder / "round"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert image_path(tmp_path / "link", "a.png", "row 1").read_bytes() == b"picture"


def test_a_relative_folder_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert image_path(Path("catalog"), "a.png", "row 1").read_bytes() == b"picture"
    with pytest.raises(BadInput):
        image_path(Path("catalog"), "../secret.png", "row 1")


# --- personas ---------------------------------------------------------------------------------


def test_a_persona_is_checked() -> None:
    found = persona_record("p1", "a gift", {"role": "nurse"}, "line 1")
    assert found == pvd.Persona("p1", "a gift", {"role": "nurse"})
    longest = "x" * kit.MAX_TEXT
    assert persona_record("p1", longest, {}, "line 1").text == longest


@pytest.mark.parametrize(
    ("id", "text", "message"),
    [
        ("", "a gift", "line 7: the persona has no id"),
        (" ", "a gift", "line 7: the persona has no id"),
        ("p1", "", "line 7: the persona's text is blank"),
        ("p1", "\n\t ", "line 7: the persona's text is blank"),
        (
            "p1",
            "x" * 20_001,
            "line 7: the persona's text has 20,001 characters; shorten it to at most 20,",
        ),
    ],
)
def test_a_persona_without_id_or_text_is_refused(id: str, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        persona_record(id, text, {}, "line 7")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200


# --- what is public ---------------------------------------------------------------------------


@pytest.mark.parametrize("module", [kit, pvd, testing], ids=lambda module: module.__name__)
def test_all_is_sorted_and_there(module: Any) -> None:
    assert module.__all__ == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name) is not None
    names: dict[str, Any] = {}
    exec(f"from {module.__name__} import *", names)
    assert set(module.__all__) <= set(names)


@pytest.mark.parametrize("module", [kit, testing], ids=lambda module: module.__name__)
def test_all_names_everything_public(module: Any) -> None:
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }
    assert own <= set(module.__all__)
