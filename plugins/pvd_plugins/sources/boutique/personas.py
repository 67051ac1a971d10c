"""Who comes to the shop and why, and what each of them likes.

A persona is a role in a situation, mostly with a manner. Its tastes are the sum of the three; its
text names none of the values that it likes, nor any other: only common sense leads from one to the
other. The drawings and the words of `vocabulary.py` know nothing of this file.
"""

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import NamedTuple

import pvd

from .vocabulary import CATEGORIES, COLOURS, PATTERNS, TONES

STRONGEST = 3.0  # no single liking outweighs everything else


class Trait(NamedTuple):
    """A part of a persona: how the text puts it, and what it makes people like."""

    words: str
    likes: Mapping[str, float]  # value of any column -> weight


ROLES: dict[str, Trait] = {
    "gardener": Trait(
        "a keen gardener",
        {
            "watering can": 2.2,
            "plant pot": 2,
            "boots": 1,
            "green": 1.6,
            "brown": 0.8,
            "floral": 1.4,
        },
    ),
    "sailor": Trait(
        "a retired sailor",
        {"sweater": 1.8, "coat": 1.2, "clock": 0.8, "blue": 2, "white": 1, "striped": 1.8},
    ),
    "barista": Trait(
        "a barista",
        {"mug": 2.4, "teapot": 0.8, "sneakers": 1, "brown": 1.8, "black": 0.8, "plain": 0.8},
    ),
    "musician": Trait(
        "a street musician",
        {"guitar": 2.6, "hat": 1.4, "boots": 0.8, "red": 1.4, "black": 1, "zigzag": 1},
    ),
    "nursery": Trait(
        "a nursery school teacher",
        {"book": 1.4, "cushion": 1.2, "dress": 0.8, "yellow": 1.8, "orange": 1.2, "dotted": 1.8},
    ),
    "architect": Trait(
        "an architect",
        {"lamp": 2, "chair": 1.8, "coat": 0.8, "black": 1.6, "white": 1.2, "grey": 1, "plain": 2},
    ),
    "librarian": Trait(
        "a village librarian",
        {"book": 2.6, "lamp": 1, "sweater": 1.2, "brown": 1.4, "green": 1, "checked": 1.4},
    ),
    "grandmother": Trait(
        "a grandmother of five",
        {"teapot": 2, "cushion": 1.6, "scarf": 0.8, "purple": 1.6, "pink": 1.2, "floral": 2.2},
    ),
    "dancer": Trait(
        "a ballet dancer",
        {"skirt": 2.2, "dress": 2, "scarf": 0.8, "pink": 2.2, "white": 1, "light": 1},
    ),
    "guide": Trait(
        "a mountain guide",
        {"boots": 2.4, "coat": 1.4, "hat": 1, "red": 1.6, "orange": 1.2, "checked": 0.8},
    ),
    "lawyer": Trait(
        "a trial lawyer",
        {
            "shirt": 2,
            "bag": 1.4,
            "trousers": 1.4,
            "grey": 1.6,
            "black": 1.4,
            "plain": 1.4,
            "dark": 0.6,
        },
    ),
    "skater": Trait(
        "a teenager who skates to school",
        {"sneakers": 2.6, "hat": 1.2, "sweater": 1.2, "black": 1.2, "teal": 1, "zigzag": 1.8},
    ),
    "attendant": Trait(
        "a flight attendant",
        {"suitcase": 2.4, "scarf": 1.6, "bag": 0.8, "blue": 1.6, "red": 0.8, "plain": 1},
    ),
    "potter": Trait(
        "a potter with a small studio",
        {"vase": 2.6, "mug": 1.4, "plant pot": 1, "teal": 1.6, "brown": 1.4, "plain": 0.6},
    ),
    "nurse": Trait(
        "a nurse on night shifts",
        {"sneakers": 1.8, "clock": 1.4, "mug": 1, "teal": 1.8, "white": 1.6, "light": 0.8},
    ),
    "farmer": Trait(
        "a dairy farmer",
        {"boots": 2, "shirt": 1.8, "hat": 1, "watering can": 0.8, "brown": 1, "checked": 2.2},
    ),
    "designer": Trait(
        "a fashion student",
        {
            "dress": 1.4,
            "bag": 1.8,
            "coat": 1.2,
            "skirt": 1,
            "purple": 1.4,
            "black": 1.2,
            "zigzag": 1,
        },
    ),
    "beekeeper": Trait(
        "a beekeeper",
        {"hat": 2, "teapot": 0.8, "plant pot": 0.8, "yellow": 2.6, "black": 0.8, "striped": 1.6},
    ),
    "magician": Trait(
        "a stage magician",
        {"hat": 1.8, "suitcase": 1.2, "umbrella": 1, "purple": 2, "black": 1.4, "dark": 1.2},
    ),
    "clown": Trait(
        "a circus clown",
        {"umbrella": 1.8, "trousers": 1.8, "hat": 0.8, "orange": 2, "yellow": 1, "dotted": 2.2},
    ),
    "angler": Trait(
        "an angler",
        {"coat": 1.8, "boots": 1.6, "hat": 0.8, "green": 2, "brown": 0.8, "dark": 1.4},
    ),
    "yogi": Trait(
        "a yoga teacher",
        {"cushion": 2.4, "trousers": 1.4, "purple": 1.2, "teal": 1.4, "light": 1.2, "plain": 0.8},
    ),
    "antiques": Trait(
        "an antiques dealer",
        {
            "clock": 2.4,
            "chair": 1.8,
            "suitcase": 1,
            "lamp": 1,
            "brown": 2,
            "dark": 1,
            "floral": 0.6,
        },
    ),
    "tourist": Trait(
        "a city tour leader",
        {"umbrella": 2.4, "sneakers": 1.2, "bag": 1.2, "red": 2, "yellow": 1, "plain": 0.6},
    ),
    "novelist": Trait(
        "a novelist",
        {"book": 2, "lamp": 1.4, "mug": 1.2, "chair": 1, "grey": 1.8, "purple": 0.8, "dark": 0.8},
    ),
    "singer": Trait(
        "a singer in a metal band",
        {"boots": 1.8, "guitar": 1.6, "coat": 1.2, "black": 2.8, "dark": 1, "plain": 0.6},
    ),
}

SITUATIONS: dict[str, Trait] = {
    "flat": Trait(
        "is moving to a first flat",
        {"lamp": 1.2, "chair": 1.4, "mug": 1, "clock": 0.8, "white": 1, "plain": 0.8},
    ),
    "guests": Trait(
        "is expecting guests in winter",
        {"teapot": 1.6, "cushion": 1.4, "sweater": 0.6, "red": 1.2, "checked": 1},
    ),
    "reading": Trait(
        "is furnishing a reading corner",
        {"lamp": 1.6, "chair": 1.6, "book": 1.2, "cushion": 1, "brown": 0.8},
    ),
    "sea": Trait(
        "is packing for a week by the sea",
        {
            "suitcase": 1.2,
            "hat": 1.4,
            "dress": 0.8,
            "bag": 0.6,
            "blue": 1.4,
            "striped": 1.4,
            "light": 0.6,
        },
    ),
    "rain": Trait(
        "is getting ready for a rainy autumn",
        {"umbrella": 2.2, "boots": 1.6, "coat": 1.4, "yellow": 1},
    ),
    "wedding": Trait(
        "is invited to a summer wedding",
        {"dress": 1.8, "shirt": 1.4, "hat": 0.8, "pink": 1.2, "floral": 1.2, "light": 0.8},
    ),
    "office": Trait(
        "starts a new job in an office",
        {"shirt": 1.6, "trousers": 1.4, "bag": 1.4, "skirt": 0.6, "grey": 1.2, "plain": 1},
    ),
    "balcony": Trait(
        "is planting a balcony for the first time",
        {"plant pot": 2.2, "watering can": 2, "green": 1.4, "orange": 0.8},
    ),
    "concert": Trait(
        "is going out to a concert tonight",
        {"skirt": 1.2, "boots": 1, "dress": 0.8, "black": 1.4, "purple": 1, "dark": 0.8},
    ),
    "birthday": Trait(
        "is looking for a birthday present for a child",
        {"book": 1.2, "sneakers": 1.2, "mug": 0.8, "yellow": 1, "orange": 1, "dotted": 1.6},
    ),
    "brunch": Trait(
        "is having friends round for a spring brunch",
        {"vase": 1.8, "teapot": 1.2, "mug": 1.2, "pink": 1, "floral": 1.4, "light": 0.6},
    ),
    "train": Trait(
        "is crossing the Alps by train",
        {"suitcase": 1.8, "scarf": 1.6, "sweater": 1.4, "boots": 0.6, "zigzag": 1.2},
    ),
    "band": Trait(
        "is joining a folk band",
        {"guitar": 2.4, "shirt": 0.8, "hat": 0.8, "brown": 1, "checked": 1.2},
    ),
    "mornings": Trait(
        "has to get up early all through a cold winter",
        {"clock": 1.8, "scarf": 1.4, "sweater": 1.2, "mug": 1, "teal": 0.6, "dark": 0.4},
    ),
}

MANNERS: dict[str, Trait] = {
    "none": Trait("", {}),
    "quiet": Trait("never one for fuss", {"plain": 1.8, "grey": 1}),
    "bold": Trait("hard to overlook", {"zigzag": 1.4, "orange": 1, "red": 0.8}),
    "sunny": Trait("of a sunny temper", {"yellow": 1.4, "light": 1}),
    "nocturnal": Trait("happiest after nightfall", {"black": 1.2, "dark": 1.4}),
    "playful": Trait("with a childlike streak", {"dotted": 1.6, "pink": 0.8}),
    "tidy": Trait("tidy to the last corner", {"checked": 1.2, "white": 1.2}),
    "coastal": Trait("homesick for the coast", {"striped": 1.2, "blue": 1, "teal": 0.8}),
    "romantic": Trait(
        "sentimental about the old days", {"floral": 1.4, "brown": 0.8, "purple": 0.4}
    ),
}

_COLUMNS: dict[str, Iterable[str]] = {
    "category": CATEGORIES,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "tone": TONES,
}
COLUMN_OF = {value: column for column, values in _COLUMNS.items() for value in values}


def most_people() -> int:
    """How many different personas there are."""
    return len(ROLES) * len(SITUATIONS) * len(MANNERS)


def visitors(seed: int, count: int) -> list[pvd.Persona]:
    """The first so many visitors of a seed, all different; a larger count only adds to them."""
    encounters = _encounters(Random(f"boutique people {seed}"))
    return [_persona(*next(encounters)) for _ in range(count)]


def _encounters(rng: Random) -> Iterator[tuple[str, str, str]]:
    """Every role meets every situation once before any pair comes again in another manner."""
    pairs = [(role, situation) for role in ROLES for situation in SITUATIONS]
    manners = {pair: rng.sample(list(MANNERS), len(MANNERS)) for pair in pairs}
    for turn in range(len(MANNERS)):
        for pair in rng.sample(pairs, len(pairs)):
            yield (*pair, manners[pair][turn])


def _persona(role: str, situation: str, manner: str) -> pvd.Persona:
    traits = ROLES[role], SITUATIONS[situation], MANNERS[manner]
    tastes: dict[str, float] = {}
    for trait in traits:
        for value, weight in trait.likes.items():
            key = f"{COLUMN_OF[value]}={value}"
            tastes[key] = round(min(STRONGEST, tastes.get(key, 0) + weight), 2)
    who, why, how = (trait.words for trait in traits)
    if how:
        who += f", {how},"
    return pvd.Persona(
        id="-".join((role, situation, manner)),
        text=f"{who[0].upper()}{who[1:]} who {why}.",
        attributes={"role": role, "situation": situation, "manner": manner, "tastes": tastes},
    )
