"""Options: tables become typed values and components, and the values become tables again."""

from __future__ import annotations

import math
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pvd
from pvd import options
from pvd.discovery import Registry
from pvd.errors import BadInput, MissingFile, PluginError, PvdError, UnknownName
from pvd.options import (
    Option,
    assignment,
    build,
    describe,
    dump,
    fill,
    merge,
    read_toml,
    toml_value,
)

HERE = Path("/srv/pictures")
MANY = settings(deadline=None, max_examples=200)


@dataclass(kw_only=True)
class Lamp:
    """One option of every type."""

    name: Annotated[str, "what it is called"] = "lamp"
    bulbs: int = 1
    watts: Annotated[float, "at most"] = 40.0
    lit: bool = False
    manual: Path = HERE
    colour: Literal["white", "warm", "4000"] = "white"
    shade: int | None = None
    height: Annotated[float | None, "in metres; any if none"] = 1.5
    prices: tuple[float, ...] = ()
    tags: Annotated[tuple[str, ...], "words"] = ("old",)

    def __post_init__(self) -> None:
        if self.bulbs > 99:
            raise ValueError("nobody has so many bulbs")


@dataclass(kw_only=True)
class Room:
    """Components and tables as options."""

    teacher: Annotated[pvd.Teacher, "who ranks"]
    members: tuple[pvd.Teacher, ...] = ()
    second: pvd.Teacher | None = None
    lamp: Lamp = field(default_factory=Lamp)


@dataclass(kw_only=True)
class Owner:
    """An option without a default."""

    pet: str
    food: str


def filled(text: str) -> Lamp:
    return fill(Lamp, assignment(text), "lamp")


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("true", True),
        ('"3"', "3"),
        ("'a b'", "a b"),
        ("[1, 2]", [1, 2]),
        ('["a", "b"]', ["a", "b"]),
        ("{a = 1}", {"a": 1}),
        ("gemini", "gemini"),
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("a gift for a mother", "a gift for a mother"),
        ("red, green", "red, green"),
        ("C:\\pictures", "C:\\pictures"),
        ("True", "True"),
        ("007", "007"),
        ("none", "none"),
        ("", ""),
        ("[1, 2", "[1, 2"),
        ("1\nother = 2", "1\nother = 2"),
        ("2024-05-13", "2024-05-13"),
        ("07:32:00", "07:32:00"),
        ("größe", "größe"),
    ],
)
def test_a_value_is_toml_or_else_the_words_as_they_stand(text: str, value: Any) -> None:
    assert toml_value(text) == value
    assert type(toml_value(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("seed=1", {"seed": 1}),
        ("train.rounds=3", {"train": {"rounds": 3}}),
        ("teacher.of.model=x", {"teacher": {"of": {"model": "x"}}}),
        (" train.rounds = 3 ", {"train": {"rounds": 3}}),
        ("text=a=b", {"text": "a=b"}),
        ("text=", {"text": ""}),
    ],
)
def test_a_dot_goes_one_table_deeper(text: str, table: dict[str, Any]) -> None:
    assert assignment(text) == table


@pytest.mark.parametrize("text", ["", "seed", "=3", "train..rounds=3", ".seed=3", "train.=3"])
def test_what_is_no_assignment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=re.escape(repr(text)) + r".*train\.rounds=3"):
        assignment(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name=table lamp", "table lamp"),
        ("name=3", "3"),
        ("name=true", "true"),
        ("bulbs=3", 3),
        ("watts=2.5", 2.5),
        ("watts=2", 2.0),
        ("watts=inf", math.inf),
        ("lit=true", True),
        ("manual=/srv/x.pdf", Path("/srv/x.pdf")),
        ("colour=warm", "warm"),
        ("colour=4000", "4000"),
        ("shade=7", 7),
        ("shade=none", None),
        ("height=none", None),
        ("height=2", 2.0),
        ("prices=[1, 2.5]", (1.0, 2.5)),
        ("prices=3", (3.0,)),
        ("prices=[]", ()),
        ("tags=old", ("old",)),
        ('tags=["a", "b"]', ("a", "b")),
    ],
)
def test_every_type_takes_its_values(text: str, value: Any) -> None:
    found = getattr(filled(text), text.partition("=")[0])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bulbs=many", "lamp.bulbs must be a whole number, not 'many'"),
        ("bulbs=1.0", "lamp.bulbs must be a whole number, not 1.0"),
        ("bulbs=true", "lamp.bulbs must be a whole number, not True"),
        ("watts=hot", "lamp.watts must be a number, not 'hot'"),
        ("watts=true", "lamp.watts must be a number, not True"),
        ("watts=1" + "0" * 400, "lamp.watts is too large a number"),
        ("bulbs=-1" + "0" * 400, "lamp.bulbs is too large a number"),
        ("lit=yes", "lamp.lit must be true or false, not 'yes'"),
        ("lit=1", "lamp.lit must be true or false, not 1"),
        ("name=[1]", "lamp.name must be text, not [1]"),
        ("manual=3", "lamp.manual must be a path, not 3"),
        ("colour=wram", "must be one of white, warm, 4000, not 'wram'; did you mean 'warm'?"),
        ("colour=blue", "must be one of white, warm, 4000, not 'blue'."),
        ("shade=deep", "lamp.shade must be a whole number, not 'deep'"),
        ("prices=[1, 'x']", "lamp.prices[1] must be a number, not 'x'"),
        ("bulbs=100", "lamp: nobody has so many bulbs"),
        (
            "tags=a,b",
            """lamp.tags is a list, and 'a,b' is one text; write -o 'lamp.tags=["a", "b"]'.""",
        ),
        (
            'tags="a, b"',
            """lamp.tags is a list, and 'a, b' is one text; write -o 'lamp.tags=["a", "b"]'.""",
        ),
        (
            "prices=1,2.5",
            "lamp.prices is a list, and '1,2.5' is one text; write -o 'lamp.prices=[1, 2.5]'.",
        ),
        (
            'tags=["a",größe]',
            """lamp.tags cannot be read as TOML: '["a",größe]'; write -o """
            """'lamp.tags=["a", "größe"]'.""",
        ),
        ("prices=[1, 2", "lamp.prices cannot be read as TOML: '[1, 2'; write -o 'lamp.prices=[1,"),
    ],
)
def test_a_wrong_value_is_one_sentence_with_the_place(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        filled(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_path_that_no_system_has_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match=r"lamp\.manual is no path"):
        fill(Lamp, {"manual": path}, "lamp")


def test_programs_give_paths_as_paths() -> None:
    lamp = fill(Lamp, {"manual": Path("/srv/one"), "name": Path("/srv/two")}, "lamp")

    assert (lamp.manual, lamp.name) == (Path("/srv/one"), "/srv/two")


def test_an_unknown_option_lists_all_and_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        filled("wats=3")
    assert str(caught.value) == (
        "lamp has no option 'wats'; did you mean 'watts'? It has: "
        "name, bulbs, watts, lit, manual, colour, shade, height, prices, tags."
    )


def test_an_unknown_option_without_a_neighbour_has_no_hint() -> None:
    with pytest.raises(UnknownName, match=r"^The configuration has no option 'zzz'\. It has: name"):
        fill(Lamp, {"zzz": 1}, "")


def test_an_option_that_stands_one_step_deeper_is_named() -> None:
    table = {"bulbs": 3, "teacher": {"use": "simulated"}, "second": "uniform"}
    with pytest.raises(
        UnknownName,
        match=r"^The configuration has no option 'bulbs'; did you mean "
        r"'lamp\.bulbs'\? It has: teacher, members, second, lamp\.$",
    ):
        fill(Room, table, "")
    for second, meant in (
        ("none", r"'room\.teacher\.noise'"),
        ({"use": "simulated"}, r"'room\.teacher\.noise' or 'room\.second\.noise'"),
        ("nobody", r"'room\.teacher\.noise'"),
    ):
        with pytest.raises(UnknownName, match=rf"'noise'; did you mean {meant}\? It has: "):
            fill(
                Room,
                {"noise": 1, "teacher": pvd.load("teacher", "simulated"), "second": second},
                "room",
            )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            'members=["simulated",other]',
            """members cannot be read as TOML: '["simulated",other]'; write -o """
            """'members=["simulated", "other"]'.""",
        ),
        (
            'members=["simulated", {use=other}]',
            """members cannot be read as TOML: '["simulated", {use=other}]'; write -o """
            """'members=["NAME", {use="NAME", OPTION=VALUE}]'.""",
        ),
        (
            "members=simulated,other",
            """members is a list, and 'simulated,other' is one text; write -o """
            """'members=["simulated", "other"]'.""",
        ),
        (
            "teacher={use=simulated}",
            """teacher cannot be read as TOML: '{use=simulated}'; write -o """
            """'teacher={use="NAME", OPTION=VALUE}'.""",
        ),
    ],
)
def test_a_component_in_bad_toml_is_no_name(word: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        fill(Room, {"teacher": "simulated"} | assignment(word), "")
    assert str(caught.value) == said


def test_what_has_no_default_is_asked_for_by_name() -> None:
    with pytest.raises(BadInput, match=r"for pet, food; add -o owner\.pet=VALUE -o owner\.food=V"):
        fill(Owner, {}, "owner")
    with pytest.raises(BadInput, match=r"^The configuration needs .* food; add -o food=VALUE\.$"):
        fill(Owner, {"pet": "cat"}, "")


@pytest.mark.parametrize("annotation", ["int | str", "dict[str, int]", "list[int]", "complex"])
def test_a_type_that_is_no_option_type_is_the_plug_ins_fault(annotation: str) -> None:
    cls = dataclass(type("Odd", (), {"__annotations__": {"x": annotation}, "x": 1}))
    said = rf"^odd\.x has the type {re.escape(annotation)}, which is no option type; make it str, "
    with pytest.raises(PluginError, match=said):
        fill(cls, {"x": "a"}, "odd")
    needed = dataclass(type("Odd", (), {"__annotations__": {"x": annotation}}))
    with pytest.raises(PluginError, match=said):  # before it is asked for in vain
        fill(needed, {}, "odd")


@pytest.mark.parametrize("annotation", ["Nowhere", "pvd.Nowhere", "int |"])
def test_a_type_that_cannot_be_resolved_is_the_plug_ins_fault(annotation: str) -> None:
    members = {"__annotations__": {"x": annotation}, "x": 1, "__module__": __name__}
    with pytest.raises(PluginError, match=r"Odd .* has an option type that cannot be resolved"):
        fill(dataclass(type("Odd", (), members)), {"x": 1}, "odd")


# --- components -------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["simulated", {"use": "simulated"}])
def test_a_component_is_a_name_or_a_table_with_use(table: Any) -> None:
    made = build("teacher", table, "teacher")
    assert made.name == "teacher.simulated"
    assert dump(made) == dump(pvd.load("teacher", "simulated"))


@pytest.mark.parametrize("table", [3, {}, {"noise": 1}, {"use": 3}, ["simulated"], None])
def test_what_names_no_component_says_what_would(table: Any) -> None:
    with pytest.raises(BadInput, match=r"^teacher must be the name of a teacher, or a table with"):
        build("teacher", table, "teacher")


def test_a_component_inside_a_component_goes_on_with_a_dot() -> None:
    words = ["teacher=consistent", "teacher.of=simulated", "teacher.of.noise=0.5"]
    table: dict[str, Any] = {}
    for word in words:
        table = merge(table, assignment(word))
    made = fill(Room, table, "").teacher
    assert dump(made)["of"]["noise"] == 0.5
    assert made.name == "teacher.consistent"


def test_a_list_of_components_holds_names_and_tables() -> None:
    text = "[teacher]\nuse = 'simulated'\n[[members]]\nuse = 'simulated'\nnoise = 2\n"
    room = fill(Room, tomllib.loads(text) | {"second": "simulated"}, "")
    (member,) = room.members
    assert dump(member)["noise"] == 2.0
    bare = fill(Room, {"teacher": "simulated", "members": "simulated"}, "")
    assert [m.name for m in bare.members] == ["teacher.simulated"]
    assert room.second is not None


@pytest.mark.parametrize(
    "word",
    ["members[1].noise=3", "member.noise=3", "member=simulated", "members.1.noise=3",
     "members.noise=3"],
)  # fmt: skip
def test_one_of_a_list_of_components_has_no_path(word: str) -> None:
    with pytest.raises(BadInput) as caught:
        fill(Room, merge({"teacher": "simulated"}, assignment(word)), "")
    assert str(caught.value) == (
        "members is a list, which is set as a whole, such as "
        """-o 'members=["NAME", {use="NAME", OPTION=VALUE}]'."""
    )


def test_what_one_of_a_list_requires_is_written_into_the_list() -> None:
    word = 'members=["simulated", {use="consistent"}]'
    with pytest.raises(BadInput) as caught:
        fill(Room, merge({"teacher": "simulated"}, assignment(word)), "")
    assert str(caught.value) == (
        'members[1] needs a value for of; write {use="consistent", of=VALUE} in its place in '
        "-o 'members=[...]'."
    )
    mended = word.replace('{use="consistent"}', '{use="consistent", of="simulated"}')
    room = fill(Room, merge({"teacher": "simulated"}, assignment(mended)), "")
    assert [member.label for member in room.members] == ["simulated", "consistent"]


def test_a_kind_has_the_article_that_it_is_spoken_with() -> None:
    for kind, named in (("evaluator", "an evaluator"), ("observer", "an observer")):
        with pytest.raises(BadInput, match=rf"^x must be the name of {named}, or a table with"):
            build(kind, 3, "x")


def test_a_component_that_was_made_already_is_taken_as_it_is() -> None:
    made = pvd.load("teacher", "simulated", noise=0.25)
    assert fill(Room, {"teacher": made}, "").teacher is made


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"teacher": {"use": "simulated", "nose": 1}}, "teacher (simulated) has no option 'nose'"),
        ({"teacher": {"use": "simulated", "noise": -1}}, "teacher.noise must be at least 0"),
        ({"teacher": "consistent"}, "teacher needs a value for of"),
        ({"teacher": {"use": "consistent", "of": {"use": "consistent"}}}, "teacher.of needs"),
        ({"teacher": {"use": "consistent", "of": "simulatd"}}, "did you mean 'simulated'?"),
        ({"teacher": "simulated", "members": [3]}, "members[0] must be the name of a teacher"),
        ({"teacher": "simulated", "lamp": 3}, "lamp is a table, not 3; write lamp.NAME=VALUE."),
        ({"teacher": "simulated", "lamp": {"watt": 3}}, "lamp has no option 'watt'"),
        (
            {"teacher": {"use": "simulated", "path": "x"}},
            "teacher (simulated) has no option 'path'",
        ),
    ],
)
def test_a_mistake_deep_inside_is_named_by_its_path(table: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        fill(Room, table, "")
    assert message in str(caught.value)


def test_a_component_with_unfinished_methods_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "half.py"
    file.write_text(
        "import pvd\nfrom dataclasses import dataclass\n\n"
        "@dataclass(kw_only=True)\nclass Half(pvd.Sampler):\n    pass\n\n"
        "@pvd.hookimpl\ndef register_samplers(register): register('half', Half)\n"
    )
    own = Registry()
    own.load_file(file)
    monkeypatch.setattr(options, "registry", own)
    with pytest.raises(
        BadInput, match=r"^The plug-in sampler\.half of .* lacks the method draw; see pvd\.Sampler"
    ):
        build("sampler", "half", "sampler")


# --- merging ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"t": {"x": 1, "y": 2}}, {"t": {"y": 3}}, {"t": {"x": 1, "y": 3}}),
        # the same component keeps its options, another one drops them
        ({"t": {"use": "a", "x": 1}}, {"t": "a"}, {"t": {"use": "a", "x": 1}}),
        (
            {"t": {"use": "a", "x": 1}},
            {"t": {"use": "a", "y": 2}},
            {"t": {"use": "a", "x": 1, "y": 2}},
        ),
        ({"t": {"use": "a", "x": 1}}, {"t": "b"}, {"t": {"use": "b"}}),
        ({"t": {"use": "a", "x": 1}}, {"t": {"use": "b", "y": 2}}, {"t": {"use": "b", "y": 2}}),
        ({"t": {"use": "a", "x": 1}}, {"t": {"x": 2}}, {"t": {"use": "a", "x": 2}}),
        # a bare name takes options later
        ({"t": "a"}, {"t": {"x": 1}}, {"t": {"use": "a", "x": 1}}),
        ({"t": "a"}, {"t": "b"}, {"t": "b"}),
        ({"t": "a"}, {"t": {"use": "b"}}, {"t": {"use": "b"}}),
        # inside another component too
        (
            {"t": {"use": "c", "of": {"use": "a", "x": 1}}},
            {"t": {"of": "b"}},
            {"t": {"use": "c", "of": {"use": "b"}}},
        ),
        ({"l": [{"use": "a"}, {"use": "b"}]}, {"l": ["c"]}, {"l": ["c"]}),
        ({}, {"t": {"of": {"x": 1}}}, {"t": {"of": {"x": 1}}}),
    ],
)
def test_the_later_table_wins(
    base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge(base, over) == merged


def test_merging_changes_neither_table() -> None:
    base, over = {"t": {"use": "a", "s": {"x": 1}}}, {"t": {"s": {"y": 2}}}
    merge(base, over)["t"]["s"]["x"] = 9
    assert (base, over) == ({"t": {"use": "a", "s": {"x": 1}}}, {"t": {"s": {"y": 2}}})


def test_teacher_use_is_the_same_as_the_teachers_name() -> None:
    recipe = {"teacher": {"use": "consistent", "of": "simulated", "orders": 2}}
    short = merge(recipe, {"teacher": "simulated"})
    assert short == merge(recipe, assignment("teacher.use=simulated"))
    assert dump(fill(Room, short, "").teacher)["use"] == "simulated"


# --- files ------------------------------------------------------------------------------------


def test_paths_in_a_file_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "lamp.toml").write_text("manual = 'docs/../x.pdf'\n")
    lamp = fill(Lamp, read_toml(tmp_path / "lamp.toml"), "lamp")
    assert lamp.manual == tmp_path.resolve() / "x.pdf"
    assert fill(Lamp, {"manual": "x.pdf"}, "lamp").manual == Path("/x.pdf")


def test_paths_of_a_source_start_at_the_file_where_they_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "items.csv").write_text("id,image\n")
    (tmp_path / "run.toml").write_text(
        "[here]\nuse = 'table'\npath = 'items.csv'\n[hub]\nuse = 'table'\npath = 'someone/data'\n"
    )
    table = read_toml(tmp_path / "run.toml")
    assert build("source", table["here"], "catalog").path == str(tmp_path.resolve() / "items.csv")
    assert build("source", table["hub"], "catalog").path == "someone/data"
    long = build("source", {"use": "table", "path": "x" * 400}, "catalog")
    assert dump(long) == dump(build("source", dump(long), "catalog"))
    with pytest.raises(BadInput, match=r"catalog\.path must be text, not 3"):
        build("source", {"use": "table", "path": 3}, "catalog")


@pytest.mark.parametrize(
    "data",
    [b"a = ", b"a = 1\na = 2\n", b"a = " + b"9" * 5000, b"a = " + b"[" * 9999],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(data)
    with pytest.raises(BadInput, match=f"The configuration {re.escape(str(file))} cannot be read"):
        read_toml(file)


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(BadInput, match=r"run\.toml, line 2 is not UTF-8; save the file as UTF-8"):
        read_toml(tmp_path / "run.toml")


def test_a_file_that_is_not_there_is_exit_code_4(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"nowhere\.toml"):
        read_toml(tmp_path / "nowhere.toml")
    with pytest.raises(MissingFile, match="is a folder; name a configuration file"):
        read_toml(tmp_path)


# --- back to tables ---------------------------------------------------------------------------


def test_dump_is_what_build_makes_it_from() -> None:
    table = {
        "use": "consistent",
        "of": {
            "use": "simulated",
            "noise": 0.5,
            "position_bias": 0.0,
            "malformed": 0.0,
            "delay": 0.0,
        },
        "orders": 2,
        "method": "kemeny",
        "balanced": True,
    }
    made = build("teacher", table, "teacher")
    assert dump(made) == table
    assert dump(build("teacher", dump(made), "teacher")) == table


def test_dump_of_a_source_keeps_its_path() -> None:
    made = build("source", {"use": "table", "path": "hub/name", "id": "sku"}, "catalog")
    table = dump(made)
    assert table["path"] == "hub/name"
    assert build("source", table, "catalog").path == "hub/name"


def test_none_comes_back_as_none() -> None:
    lamp = Lamp(height=None, shade=None)
    assert "shade" not in dump(lamp), "its default is none anyway"
    assert fill(Lamp, dump(lamp), "lamp") == lamp


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LAMPS = st.builds(
    Lamp,
    name=TEXT,
    bulbs=st.integers(-(2**63), 99),
    watts=st.floats(allow_nan=False),
    lit=st.booleans(),
    manual=st.sampled_from([HERE, HERE / "a b.pdf", Path("/")]),
    colour=st.sampled_from(["white", "warm", "4000"]),
    shade=st.none() | st.integers(-(2**63), 2**63 - 1),
    height=st.none() | st.floats(allow_nan=False),
    prices=st.lists(st.floats(allow_nan=False)).map(tuple),
    tags=st.lists(TEXT).map(tuple),
)


@MANY
@given(LAMPS)
def test_dump_and_fill_are_inverse_also_through_a_file(lamp: Lamp) -> None:
    assert fill(Lamp, tomllib.loads(tomli_w.dumps(dump(lamp))), "lamp") == lamp


# --- descriptions -----------------------------------------------------------------------------


def test_describe_shows_type_default_and_help() -> None:
    assert describe(Lamp) == [
        Option("name", "str", "lamp", "what it is called"),
        Option("bulbs", "int", "1", ""),
        Option("watts", "float", "40.0", "at most"),
        Option("lit", "bool", "false", ""),
        Option("manual", "path", str(HERE), ""),
        Option("colour", "white | warm | 4000", "white", ""),
        Option("shade", "int | none", "none", ""),
        Option("height", "float | none", "1.5", "in metres; any if none"),
        Option("prices", "list of float", "[]", ""),
        Option("tags", "list of str", "['old']", "words"),
    ]


def test_describe_shows_components_and_what_is_required() -> None:
    teacher, members, second, lamp = describe(Room)
    assert teacher == Option("teacher", "teacher", "required", "who ranks")
    assert members.type == "list of teacher"
    assert second == Option("second", "teacher | none", "none", "")
    assert lamp.type == "lamp"


# --- anything at all --------------------------------------------------------------------------

TOMLISH = st.text("[]{}\"'.=#\n0123456789abe_-+:TZ \\,\0\ud800ü", max_size=30)


@MANY
@example("9" * 5000)
@example("[" * 5000)
@example("1979-13-40")
@example("{a.b=1, a=2}")
@given(st.text() | TOMLISH)
def test_any_words_are_a_value(text: str) -> None:
    toml_value(text)


@MANY
@example("seed=" + "9" * 5000)
@given(st.text() | TOMLISH | st.builds("{}={}".format, TOMLISH, TOMLISH))
def test_any_assignment_is_a_table_or_bad_input(text: str) -> None:
    with suppress(BadInput):
        assert isinstance(assignment(text), dict)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@MANY
@example({"watts": 10**400})
@example({"manual": "\0"})
@given(st.dictionaries(st.sampled_from([o.name for o in describe(Lamp)]), ANYTHING))
def test_any_table_fills_or_is_an_error_of_ours(table: dict[str, Any]) -> None:
    with suppress(PvdError):
        assert isinstance(fill(Lamp, table, "lamp"), Lamp)


@MANY
@given(
    st.dictionaries(
        st.sampled_from([o.name for o in describe(Room)]), ANYTHING | st.just("simulated")
    )
)
def test_any_table_of_components_fills_or_is_an_error_of_ours(table: dict[str, Any]) -> None:
    with suppress(PvdError):
        assert isinstance(fill(Room, table, ""), Room)
