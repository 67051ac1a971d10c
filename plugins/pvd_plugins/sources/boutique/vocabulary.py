"""What the shop sells: shapes, colours, tones and patterns, how often each occurs, and their words.

Nothing here says what anybody likes: tastes live in `personas.py` alone, so whoever imports this
file (the captions of the `tiny` student do) cannot have seen a taste or a persona's text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Category:
    """One shape: the words for it, its share of the shop, and what it tends to look like."""

    words: tuple[str, ...]  # the first is the attribute's value and the title's noun
    share: float  # relative to the other categories
    colours: Mapping[str, float] = field(default_factory=dict)  # multiplies the colour's share
    patterns: Mapping[str, float] = field(default_factory=dict)  # multiplies the pattern's share
    article: str = "a"


@dataclass(frozen=True)
class Colour:
    """One colour: its words, its share, and one shade for each tone it is made in."""

    words: tuple[str, ...]
    share: float
    shades: Mapping[str, RGB]  # tone -> the shade itself
    tones: Mapping[str, float]  # tone -> share within the colour


@dataclass(frozen=True)
class Pattern:
    """One way to decorate a surface; `plain` is the absence of one, and titles leave it out."""

    words: tuple[str, ...]
    share: float


class Look(NamedTuple):
    """The attributes of one product: what its drawing shows and its title says."""

    category: str
    colour: str
    pattern: str
    tone: str


PATTERNS: dict[str, Pattern] = {
    "plain": Pattern(("plain", "solid", "unpatterned"), 34),
    "striped": Pattern(("striped", "stripy"), 20),
    "dotted": Pattern(("dotted", "spotted", "polka dot"), 13),
    "checked": Pattern(("checked", "chequered", "plaid"), 12),
    "floral": Pattern(("floral", "flowered"), 13),
    "zigzag": Pattern(("zigzag", "chevron"), 8),
}

TONES: dict[str, tuple[str, ...]] = {
    "light": ("light", "pale"),
    "mid": ("mid", "medium"),  # titles leave it out
    "dark": ("dark", "deep"),
}

COLOURS: dict[str, Colour] = {
    "white": Colour(("white", "ivory"), 12, {"light": (246, 244, 238)}, {"light": 1}),
    "black": Colour(("black", "ebony"), 11, {"dark": (46, 45, 50)}, {"dark": 1}),
    "grey": Colour(
        ("grey", "gray"),
        9,
        {"light": (196, 197, 200), "mid": (146, 148, 153), "dark": (97, 99, 105)},
        {"light": 4, "mid": 4, "dark": 3},
    ),
    "brown": Colour(
        ("brown", "chestnut"),
        10,
        {"light": (190, 148, 106), "mid": (146, 96, 56), "dark": (98, 62, 38)},
        {"light": 3, "mid": 5, "dark": 4},
    ),
    "red": Colour(
        ("red", "crimson"),
        9,
        {"light": (234, 96, 84), "mid": (207, 44, 44), "dark": (148, 26, 38)},
        {"light": 2, "mid": 5, "dark": 3},
    ),
    "orange": Colour(
        ("orange", "tangerine"),
        6,
        {"light": (250, 172, 96), "mid": (240, 130, 36), "dark": (202, 96, 20)},
        {"light": 2, "mid": 5, "dark": 2},
    ),
    "yellow": Colour(
        ("yellow", "lemon"),
        7,
        {"light": (252, 230, 122), "mid": (246, 204, 46)},
        {"light": 4, "mid": 5},
    ),
    "green": Colour(
        ("green", "emerald"),
        10,
        {"light": (146, 198, 118), "mid": (78, 150, 68), "dark": (38, 92, 48)},
        {"light": 3, "mid": 4, "dark": 4},
    ),
    "teal": Colour(
        ("teal", "turquoise"),
        6,
        {"light": (104, 206, 200), "mid": (26, 152, 152), "dark": (12, 100, 106)},
        {"light": 3, "mid": 5, "dark": 2},
    ),
    "blue": Colour(
        ("blue", "azure"),
        14,
        {"light": (132, 178, 230), "mid": (56, 108, 200), "dark": (30, 52, 116)},
        {"light": 4, "mid": 5, "dark": 5},
    ),
    "purple": Colour(
        ("purple", "violet"),
        6,
        {"light": (184, 152, 220), "mid": (130, 82, 176), "dark": (84, 44, 120)},
        {"light": 3, "mid": 4, "dark": 2},
    ),
    "pink": Colour(
        ("pink", "rose"),
        8,
        {"light": (248, 188, 206), "mid": (236, 122, 166), "dark": (200, 66, 124)},
        {"light": 5, "mid": 4, "dark": 2},
    ),
}

_LEATHER = {"brown": 3.0, "black": 2.6, "teal": 0.5, "pink": 0.5, "purple": 0.5, "orange": 0.6}
_SOFT = {"pink": 1.5, "purple": 1.4, "red": 1.3, "black": 0.8, "brown": 0.4, "grey": 0.5}
_GLAZED = {"white": 1.7, "blue": 1.5, "teal": 1.6, "black": 0.4, "brown": 0.8}
_SOBER = {"blue": 1.5, "black": 1.6, "grey": 1.6, "pink": 0.5, "orange": 0.5, "yellow": 0.5}
_UNDECORATED = {"plain": 2.6, "floral": 0.6, "checked": 0.5, "dotted": 0.6}

CATEGORIES: dict[str, Category] = {
    "dress": Category(("dress", "gown", "frock"), 8, _SOFT, {"floral": 2.2, "dotted": 1.6}),
    "shirt": Category(("shirt", "blouse"), 8, {"white": 2, "blue": 1.5}, {"checked": 2.2}),
    "sweater": Category(
        ("sweater", "jumper", "pullover"), 6, _SOBER, {"zigzag": 2.4, "floral": 0.4}
    ),
    "coat": Category(("coat", "jacket"), 5, {**_SOBER, "brown": 1.6, "yellow": 0.9}, _UNDECORATED),
    "trousers": Category(("trousers", "pants"), 5, _SOBER, _UNDECORATED, "a pair of"),
    "skirt": Category(("skirt",), 5, _SOFT, {"floral": 1.7, "checked": 2, "plain": 0.7}),
    "hat": Category(("hat",), 4, {"brown": 1.6, "yellow": 1.4, "black": 1.2}, {"plain": 1.6}),
    "scarf": Category(
        ("scarf", "shawl"), 4, {"red": 1.5, "grey": 1.3}, {"striped": 1.6, "plain": 0.5}
    ),
    "boots": Category(("boots", "boot"), 4, _LEATHER, _UNDECORATED, "a pair of"),
    "sneakers": Category(
        ("sneakers", "trainers"),
        4,
        {"white": 2.2, "brown": 0.3},
        {"plain": 1.5, "floral": 0.6},
        "a pair of",
    ),
    "bag": Category(("bag", "handbag", "tote"), 5, _LEATHER, {"plain": 1.3}),
    "umbrella": Category(
        ("umbrella", "parasol"), 3, {"black": 1.6, "red": 1.5, "white": 0.5}, {}, "an"
    ),
    "suitcase": Category(("suitcase", "trunk"), 3, _LEATHER, {"plain": 1.6, "floral": 0.5}),
    "lamp": Category(("lamp",), 5, {"white": 1.5, "yellow": 1.6, "brown": 0.6}, {"plain": 1.3}),
    "mug": Category(("mug", "cup"), 6, _GLAZED, {"striped": 1.3, "dotted": 1.3}),
    "teapot": Category(("teapot",), 3, _GLAZED, {"floral": 1.8}),
    "vase": Category(("vase",), 5, _GLAZED, {"zigzag": 1.4, "checked": 0.4}),
    "cushion": Category(("cushion", "pillow"), 6, {}, {"plain": 0.6, "zigzag": 1.7}),
    "chair": Category(("chair", "armchair"), 4, {"brown": 2, "green": 1.3}, _UNDECORATED),
    "clock": Category(("clock",), 3, {"black": 1.3, "brown": 1.5}, {"plain": 2, "checked": 0.5}),
    "plant pot": Category(
        ("plant pot", "flowerpot"), 4, {"orange": 3, "brown": 1.5, "black": 0.5}, {}
    ),
    "watering can": Category(
        ("watering can",), 3, {"green": 2.2, "grey": 2, "black": 0.4}, _UNDECORATED
    ),
    "guitar": Category(
        ("guitar", "ukulele"), 3, {"brown": 3, "red": 1.5, "black": 1.5}, _UNDECORATED
    ),
    "book": Category(
        ("book", "notebook"), 5, {"white": 0.5, "red": 1.3, "blue": 1.2}, {"plain": 0.8}
    ),
}


def draw_look(rng: Random) -> Look:
    """One product's attributes: colour and pattern depend on the shape, the tone on the colour."""
    category = _pick(rng, {name: each.share for name, each in CATEGORIES.items()})
    likes = CATEGORIES[category]
    colour = _pick(rng, {n: each.share * likes.colours.get(n, 1) for n, each in COLOURS.items()})
    pattern = _pick(rng, {n: each.share * likes.patterns.get(n, 1) for n, each in PATTERNS.items()})
    return Look(category, colour, pattern, _pick(rng, COLOURS[colour].tones))


def title(look: Look) -> str:
    """The plain name on the price tag, for instance "Striped dark teal vase"."""
    shaded = len(COLOURS[look.colour].tones) > 1 and look.tone != "mid"
    words = [
        "" if look.pattern == "plain" else look.pattern,
        look.tone if shaded else "",
        look.colour,
        look.category,
    ]
    return " ".join(word for word in words if word).capitalize()


def _pick(rng: Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), weights=list(shares.values()))[0]
