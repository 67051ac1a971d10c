"""Captions of drawings for pretraining: what is seen, other words for it, and where it belongs.

The tables are common sense about things: they say that a watering can belongs in a garden, never
who would like one. CONTEXTS was written without sight of the personas, their tastes or their texts.
Nothing here opens a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

# Attribute value -> other names for it.
NAMES: dict[str, str] = {
    "dress": "gown frock",
    "shirt": "blouse top",
    "sweater": "jumper pullover knitwear",
    "coat": "jacket outerwear",
    "trousers": "pants slacks",
    "scarf": "shawl wrap",
    "boots": "boot wellingtons",
    "sneakers": "trainers shoes",
    "bag": "handbag tote",
    "umbrella": "parasol brolly",
    "suitcase": "luggage trunk",
    "lamp": "light lampshade",
    "mug": "cup beaker",
    "teapot": "pot kettle",
    "cushion": "pillow",
    "chair": "armchair seat",
    "clock": "timepiece dial",
    "plant pot": "flowerpot planter",
    "guitar": "ukulele instrument",
    "book": "notebook novel",
    "hat": "cap headwear",
    "grey": "gray silver",
    "teal": "turquoise",
    "purple": "violet lilac",
    "red": "scarlet crimson",
    "pink": "rose",
    "brown": "chestnut",
    "white": "ivory cream",
    "dotted": "spotted dots",
    "striped": "stripes stripy",
    "checked": "checkered plaid tartan",
    "floral": "flowery flowers",
    "zigzag": "chevron geometric",
    "plain": "simple solid",
    "light": "pale soft",
    "dark": "deep",
}

# Attribute value -> places, seasons, weather, occasions and activities that it brings to mind.
CONTEXTS: dict[str, str] = {
    "dress": "party wedding summer dancing dinner evening birthday restaurant date theatre",
    "shirt": "office work meeting interview school dinner summer commuting ironing town",
    "sweater": "winter autumn cold chilly snow fireplace cabin evening knitting home walking",
    "coat": "winter autumn cold rain wind snow frost street city commuting outdoors",
    "trousers": "office work school meeting everyday commuting travel cycling walking autumn",
    "skirt": "summer spring warm dancing party school office picnic city strolling",
    "hat": "sun sunshine heat summer beach holiday garden hiking fishing picnic outdoors",
    "scarf": "winter cold chilly wind snow frost autumn skiing walking christmas outdoors",
    "boots": "rain mud puddles snow winter autumn hiking forest farm mountains camping riding",
    "sneakers": "running jogging gym sport training tennis walking school street city travel",
    "bag": "shopping market errands work office school city travel commuting beach everyday",
    "umbrella": "rain drizzle storm wet clouds autumn spring street city walking commuting",
    "suitcase": "travel holiday trip journey airport flight train station hotel packing abroad",
    "lamp": "reading night evening bedroom bedside desk study living home winter working",
    "mug": "coffee tea cocoa breakfast morning kitchen office home break drinking winter",
    "teapot": "tea afternoon breakfast kitchen table brewing cake visit drinking home winter",
    "vase": "flowers bouquet table shelf window home living decorating spring anniversary wedding",
    "cushion": "sofa couch bedroom living home resting sleeping nap relaxing decorating bench",
    "chair": "sitting resting dining reading table desk kitchen living home terrace",
    "clock": "hours morning waking wall kitchen office school station living appointment",
    "plant pot": "garden gardening balcony terrace window greenhouse planting plants herbs spring",
    "watering can": "garden gardening watering plants flowers lawn balcony summer drought",
    "guitar": "music concert stage song singing playing practice campfire party festival band",
    "book": "reading writing studying learning library school university evening bedtime holiday",
    "white": "wedding snow winter summer bathroom kitchen hospital tennis laundry christening",
    "black": "night evening funeral mourning formal opera gala concert club office",
    "grey": "rain clouds fog november winter city street concrete office business",
    "brown": "autumn forest wood earth country farm cabin coffee hiking leather",
    "red": "christmas valentine love fire party celebration festival dancing dinner racing",
    "orange": "autumn october halloween pumpkin harvest sunset sunshine warm fire fruit",
    "yellow": "sun sunshine summer spring easter beach picnic morning bright holiday",
    "green": "garden forest park meadow grass plants nature countryside spring hiking",
    "teal": "sea lagoon island beach pool tropical swimming diving summer holiday",
    "blue": "sea ocean sky water lake river harbour beach sailing swimming holiday",
    "purple": "evening dusk night lavender spring magic fantasy carnival party",
    "pink": "valentine birthday romance wedding party blossom spring sunset ballet sweet",
    "plain": "office work business meeting everyday formal simple minimal modern home",
    "striped": "beach sea seaside sailing boat harbour deckchair summer holiday circus",
    "dotted": "party birthday fair carnival playground fun dancing picnic summer kitchen",
    "checked": "picnic country farm cabin forest camping highland golf autumn kitchen",
    "floral": "garden meadow flowers spring summer cottage countryside picnic wedding tea",
    "zigzag": "festival carnival disco dancing concert party skiing winter retro modern",
    "light": "day morning sunshine summer spring warm beach terrace airy",
    "dark": "night evening winter autumn storm formal theatre cellar",
}

_ORDER = ("pattern", "tone", "colour", "category")


def caption(attributes: Mapping[str, str], rng: Random) -> str:
    """One of many captions: some of what the picture shows, and some of what that brings to mind.

    Parts are left out at random, so that every word has to find its share of the picture alone.
    """
    shown = [attributes[column] for column in _ORDER if column in attributes]
    seen = [_name(value, rng) for value in shown if rng.random() < 0.5]
    contexts = [word for value in shown for word in CONTEXTS.get(value, "").split()]
    count = rng.randint(0 if seen else 1, 3)
    recalled = rng.sample(contexts, min(count, len(contexts)))
    return " ".join([*seen, *(["for", *recalled] if recalled else [])]) or shown[-1]


def _name(value: str, rng: Random) -> str:
    return rng.choice([value, value, *NAMES.get(value, "").split()])
