"""The boutique: deterministic, varied, and silent about what its visitors like."""

import io
import itertools
import pickle
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

import pvd
from pvd_plugins.sources.boutique import Boutique, product
from pvd_plugins.sources.boutique.drawing import SHAPES, SIDE, draw
from pvd_plugins.sources.boutique.personas import MANNERS, ROLES, SITUATIONS, most_people, visitors
from pvd_plugins.sources.boutique.vocabulary import (
    CATEGORIES,
    COLOURS,
    PATTERNS,
    TONES,
    Look,
    title,
)

pytestmark = pytest.mark.usefixtures("drawn_anew")

COLUMNS: dict[str, Collection[str]] = {
    "category": CATEGORIES,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "tone": TONES,
}
WORDS = [
    *(
        word
        for table in (CATEGORIES, COLOURS, PATTERNS)
        for kind in table.values()
        for word in kind.words
    ),
    *(word for words in TONES.values() for word in words),
]
NAMED = re.compile(rf"\b({'|'.join(map(re.escape, sorted(WORDS, key=len)[::-1]))})(e?s)?\b", re.I)


def pixels(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def distance(one: bytes, other: bytes) -> float:
    """The mean difference of two pictures, from 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(pixels(one), pixels(other))).mean) / 3


def test_the_same_seed_gives_the_same_shop() -> None:
    one, other = (Boutique(size=20, people=10, seed=7) for _ in range(2))

    assert [i.read() for i in one.catalog()] == [i.read() for i in other.catalog()]
    assert [i.title for i in one.catalog()] == [i.title for i in other.catalog()]
    assert one.personas() == other.personas()


def test_another_process_draws_the_same_bytes() -> None:
    # Python's own hash of a string differs from process to process, so nothing may hang on it.
    code = "from pvd_plugins.sources.boutique import product; print(product(3, 11).digest)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == product(3, 11).digest


def test_another_seed_gives_another_shop() -> None:
    one, other = (Boutique(size=30, people=30, seed=seed) for seed in (0, 1))

    assert [i.attributes for i in one.catalog()] != [i.attributes for i in other.catalog()]
    assert one.catalog()[0].read() != other.catalog()[0].read()
    assert [p.id for p in one.personas()] != [p.id for p in other.personas()]


def test_a_larger_shop_only_adds_products_and_visitors() -> None:
    small, large = Boutique(size=15, people=20), Boutique(size=150, people=500)

    for few, many in zip(small.catalog(), large.catalog(), strict=False):
        assert (few.id, few.title, few.attributes) == (many.id, many.title, many.attributes)
        assert few.read() == many.read()
    assert large.personas()[:20] == small.personas()


def test_no_two_products_of_one_look_are_one_drawing() -> None:
    look = Look("mug", "teal", "dotted", "mid")

    assert len({draw(look, str(k)) for k in range(10)}) == 10


def test_every_value_occurs_often_in_a_thousand_products() -> None:
    items = Boutique(size=1000).catalog()

    for column, table in COLUMNS.items():
        counts = Counter(item.attributes[column] for item in items)
        assert set(counts) == set(table)
        assert min(counts.values()) >= 15, counts


def test_colours_and_patterns_depend_on_the_category() -> None:
    items = Boutique(size=3000).catalog()

    def share(category: str, column: str, value: str) -> float:
        those = [i for i in items if i.attributes["category"] == category]
        return sum(i.attributes[column] == value for i in those) / len(those)

    assert share("boots", "colour", "brown") > 2 * share("mug", "colour", "brown")
    assert share("dress", "pattern", "floral") > 2 * share("coat", "pattern", "floral")


def test_titles_are_plain() -> None:
    assert title(Look("vase", "teal", "striped", "mid")) == "Striped teal vase"
    assert title(Look("plant pot", "blue", "plain", "dark")) == "Dark blue plant pot"
    assert title(Look("boots", "white", "plain", "light")) == "White boots"


def test_every_item_says_what_is_drawn_and_no_split() -> None:
    for item in Boutique(size=50).catalog():
        look = Look(**item.attributes)
        assert item.title == title(look)
        assert set(item.attributes) == set(COLUMNS)


def test_pictures_pass_the_guarded_decoder() -> None:
    picture = product(0, 0).open()

    assert (picture.size, picture.mode) == ((SIDE, SIDE), "RGB")


def test_items_can_be_sent_to_another_process() -> None:
    item = product(0, 5)

    assert pickle.loads(pickle.dumps(item)).read() == item.read()


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_shape_stays_within_the_picture(category: str) -> None:
    for k in range(12):
        picture = pixels(draw(Look(category, "red", "plain", "mid"), f"edge {k}"))
        # A strong red in the outermost pixels would be a product that is cut off.
        for box in ((0, 0, SIDE, 1), (0, 0, 1, SIDE), (SIDE - 1, 0, SIDE, SIDE)):
            strip = picture.crop(box)
            assert not any(
                strip.getpixel((x, y))[0] - strip.getpixel((x, y))[1] > 110  # type: ignore[index]
                for x in range(strip.width)
                for y in range(strip.height)
            )


def test_each_category_has_a_shape_and_nothing_else_has() -> None:
    assert set(SHAPES) == set(CATEGORIES)


def test_different_shapes_look_different() -> None:
    drawn = {name: draw(Look(name, "blue", "plain", "mid"), "one seed") for name in CATEGORIES}

    for (a, one), (b, other) in itertools.combinations(drawn.items(), 2):
        assert distance(one, other) > 4, f"{a} and {b}"


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_colour_is_seen_in_the_drawing(category: str) -> None:
    reds, blues = [0.0] * 3, [0.0] * 3
    for k in range(3):
        red = pixels(draw(Look(category, "red", "plain", "mid"), str(k)))
        blue = pixels(draw(Look(category, "blue", "plain", "mid"), str(k)))
        reds = [a + b for a, b in zip(reds, ImageStat.Stat(red).mean, strict=True)]
        blues = [a + b for a, b in zip(blues, ImageStat.Stat(blue).mean, strict=True)]

    assert reds[0] - blues[0] > 15
    assert blues[2] - reds[2] > 15


def test_every_colour_and_tone_gives_a_drawing_of_its_own() -> None:
    drawn = {
        (colour, tone): draw(Look("cushion", colour, "plain", tone), "one seed")
        for colour, kind in COLOURS.items()
        for tone in kind.shades
    }

    for (a, one), (b, other) in itertools.combinations(drawn.items(), 2):
        assert distance(one, other) > 2, f"{a} and {b}"


def test_every_pattern_shows() -> None:
    drawn = {name: draw(Look("shirt", "teal", name, "dark"), "one seed") for name in PATTERNS}

    for (a, one), (b, other) in itertools.combinations(drawn.items(), 2):
        assert distance(one, other) > 2, f"{a} and {b}"


@pytest.mark.parametrize("tone_order", [("light", "mid"), ("mid", "dark")])
def test_tones_are_in_order(tone_order: tuple[str, str]) -> None:
    for colour, kind in COLOURS.items():
        if set(tone_order) <= set(kind.shades):
            bright, dim = (sum(kind.shades[tone]) for tone in tone_order)
            assert bright > dim, colour


def test_shades_and_shares_name_the_same_tones() -> None:
    for colour, kind in COLOURS.items():
        assert set(kind.shades) == set(kind.tones) <= set(TONES), colour


def test_tables_name_only_what_exists() -> None:
    for name, kind in CATEGORIES.items():
        assert set(kind.colours) <= set(COLOURS), name
        assert set(kind.patterns) <= set(PATTERNS), name
        assert kind.words[0] == name


def test_no_text_of_a_persona_names_what_is_for_sale() -> None:
    for trait in (*ROLES.values(), *SITUATIONS.values(), *MANNERS.values()):
        assert not NAMED.search(trait.words), trait.words
    for persona in Boutique(people=most_people()).personas():
        assert not NAMED.search(persona.text), persona.text


@pytest.mark.parametrize(
    "text", ["two red mugs", "a pair of Boots", "some dresses", "watering cans"]
)
def test_the_search_for_named_values_finds_them(text: str) -> None:
    assert NAMED.search(text)


def test_tastes_name_values_of_existing_columns() -> None:
    for persona in Boutique(people=most_people()).personas():
        tastes = persona.attributes["tastes"]
        assert len({taste.partition("=")[0] for taste in tastes}) >= 3
        for taste, weight in tastes.items():
            column, _, value = taste.partition("=")
            assert value in COLUMNS[column]
            assert 0.4 <= weight <= 3.0


def test_tastes_are_the_sum_of_the_parts() -> None:
    everybody = {p.id: p for p in visitors(0, most_people())}
    tastes = everybody["angler-rain-nocturnal"].attributes["tastes"]

    assert tastes["category=coat"] == 3.0  # 1.8 for the role and 1.4 for the rain, but at most 3
    assert tastes["tone=dark"] == pytest.approx(1.4 + 1.4)
    assert tastes["colour=green"] == 2


def test_texts_read_well() -> None:
    everybody = {p.id: p.text for p in visitors(0, most_people())}

    assert everybody["sailor-reading-none"] == (
        "A retired sailor who is furnishing a reading corner."
    )
    assert everybody["architect-sea-quiet"] == (
        "An architect, never one for fuss, who is packing for a week by the sea."
    )


def test_all_personas_differ_and_every_pair_comes_before_any_comes_again() -> None:
    everybody = visitors(4, most_people())
    pairs = [(p.attributes["role"], p.attributes["situation"]) for p in everybody]
    grid = len(ROLES) * len(SITUATIONS)

    assert len({p.id for p in everybody}) == len({p.text for p in everybody}) == most_people()
    assert len(set(pairs[:grid])) == grid


def test_what_one_visitor_likes_best_is_not_what_all_like() -> None:
    shop = Boutique(size=600, people=120)
    items = shop.catalog()
    utilities = [
        [
            sum(p.attributes["tastes"].get("=".join(a), 0) for a in i.attributes.items())
            for i in items
        ]
        for p in shop.personas()
    ]
    everybody = [sum(column) for column in zip(*utilities, strict=True)]

    def percentile(best: int) -> float:
        return 1 - sum(1 for score in everybody if score > everybody[best]) / len(items)

    blind = [percentile(own.index(max(own))) for own in utilities]
    assert 0.5 < sum(blind) / len(blind) < 0.75


@pytest.mark.parametrize("options", [{"size": 0}, {"people": 0}, {"people": most_people() + 1}])
def test_impossible_sizes_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Boutique(**options)


def test_nothing_is_imported_before_something_is_drawn() -> None:
    code = (
        "import sys; from pvd_plugins.sources.boutique import Boutique; b = Boutique();"
        "b.catalog('')[0].title; b.personas('');"
        "print([m for m in ('PIL', 'numpy', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_captions_words_know_no_tastes() -> None:
    code = (
        "import sys, importlib.util as u; spec = u.spec_from_file_location('words', sys.argv[1]);"
        "module = u.module_from_spec(spec); sys.modules['words'] = module;"
        "spec.loader.exec_module(module); print([m for m in sys.modules if 'personas' in m])"
    )
    path = Path(sys.modules[Look.__module__].__file__ or "")
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "[]"


def test_the_contact_sheet_is_written(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    command = [sys.executable, "-m", "pvd_plugins.sources.boutique", str(out), "--count", "6"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "6 products" in run.stdout
    with Image.open(out) as sheet:
        assert sheet.width > 6 * SIDE


def test_the_shop_is_written_as_files(tmp_path: Path) -> None:
    size = ["--count", "12", "--people", "4"]
    command = [sys.executable, "-m", "pvd_plugins.sources.boutique", str(tmp_path / "shop"), *size]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "12 products and 4 personas" in run.stdout
    table = pvd.load("source", "table")
    drawn = Boutique(size=12, people=4)
    read = table.catalog(str(tmp_path / "shop/shop.csv"))
    assert [(i.id, i.title, i.attributes, i.digest) for i in read] == [
        (i.id, i.title, i.attributes, i.digest) for i in drawn.catalog()
    ]
    found = table.personas(str(tmp_path / "shop/people.jsonl"))
    assert [(one.id, one.text, one.attributes) for one in found] == [
        (one.id, one.text, one.attributes) for one in drawn.personas()
    ]
