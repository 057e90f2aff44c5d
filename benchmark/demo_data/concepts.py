"""The things and grounds of the demo world: which emoji shows what, and what English calls it.

Every noun heads its own first WordNet 3.0 noun sense, so that CatLIP's labeller (arXiv 2404.15653, section
3) turns the noun and its plural into exactly one synset, ``<noun>.n.01``; where it was possible that sense is
also what the picture shows. Concepts that look alike at 40 pixels, or that the two artists draw in unlike
ways, are left out. The order goes by kind, so an evenly spaced selection is a varied one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Concept:
    """A thing that can be drawn and named.

    Attributes:
        noun: English noun, one lower-case word; its synset is ``<noun>.n.01``.
        plural: plural form; equal to ``noun`` for "sheep" and for nouns without a plural.
        emoji: the character whose picture shows it, without variation selectors.
        countable: false for nouns such as "broccoli" that take "some" instead of a number.
    """

    noun: str
    plural: str
    emoji: str
    countable: bool = True


#: Procedural grounds, each one the first noun sense of its name as well; drawn by ``textures``.
BACKGROUNDS: tuple[str, ...] = (
    "grass",
    "sand",
    "sky",
    "snow",
    "water",
    "wood",
    "brick",
    "gravel",
    "marble",
    "lava",
    "night",
    "rug",
)

_IRREGULAR = {
    "deer": "deer",
    "fish": "fish",
    "mouse": "mice",
    "sheep": "sheep",
    "scissors": "scissors",
}
_UNCOUNTABLE = frozenset({"broccoli", "cheese"})

_TABLE = """
dog 🐶  fox 🦊  cat 🐱  lion 🦁  monkey 🐵  horse 🐴  zebra 🦓  deer 🦌  cow 🐮  sheep 🐑  camel 🐫
giraffe 🦒  elephant 🐘  mouse 🐭  rabbit 🐰  bear 🐻  squirrel 🐿  bat 🦇  turkey 🦃  chick 🐤
penguin 🐧  duck 🦆  swan 🦢  owl 🦉  flamingo 🦩  parrot 🦜  frog 🐸  crocodile 🐊  snake 🐍
fish 🐟  shark 🦈  snail 🐌  butterfly 🦋  bee 🐝  ladybug 🐞  spider 🕷  crab 🦀  worm 🪱
rose 🌹  sunflower 🌻  tulip 🌷  lotus 🪷  tree 🌳  evergreen 🌲  cactus 🌵  mushroom 🍄
watermelon 🍉  lemon 🍋  banana 🍌  pineapple 🍍  apple 🍎  pear 🍐  strawberry 🍓  cherry 🍒
tomato 🍅  avocado 🥑  eggplant 🍆  carrot 🥕  pepper 🫑  broccoli 🥦  onion 🧅  pretzel 🥨
cheese 🧀  hamburger 🍔  pizza 🍕  egg 🥚  cupcake 🧁  pie 🥧  teapot 🫖  cocktail 🍸  spoon 🥄
jar 🫙  amphora 🏺
balloon 🎈  ribbon 🎀  trophy 🏆  basketball 🏀  football 🏈  palette 🎨  snowman ⛄  accordion 🪗
guitar 🎸  violin 🎻  drum 🥁  bell 🔔  megaphone 📣  microphone 🎤
shirt 👕  scarf 🧣  dress 👗  satchel 🎒  shoe 👟  boot 👢  hat 👒  helmet 🪖  umbrella ☂  watch ⌚
briefcase 💼
telephone ☎  computer 💻  camera 📷  candle 🕯  book 📕  envelope ✉  package 📦  pencil ✏
crayon 🖍  scissors ✂  lock 🔒  key 🔑  bomb 💣  shield 🛡  screwdriver 🪛  gear ⚙  magnet 🧲
ladder 🪜  telescope 🔭  pill 💊  window 🪟  bed 🛏  chair 🪑  broom 🧹  basket 🧺  bucket 🪣
coin 🪙  hourglass ⌛  ghost 👻
house 🏠  church ⛪  tent ⛺  locomotive 🚂  bus 🚌  car 🚗  truck 🛻  tractor 🚜  motorcycle 🏍
bicycle 🚲  skateboard 🛹  wheel 🛞  anchor ⚓  sailboat ⛵  airplane ✈  parachute 🪂
helicopter 🚁  rocket 🚀
planet 🪐  star ⭐  moon 🌙  rainbow 🌈  snowflake ❄
"""


def plural_of(noun: str) -> str:
    """English plural of a noun of the table: the regular rule and the table's own exceptions."""
    if noun in _UNCOUNTABLE:
        return noun
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


@cache
def all_concepts() -> tuple[Concept, ...]:
    """The whole table, in order."""
    words = _TABLE.split()
    return tuple(
        Concept(noun, plural_of(noun), emoji, noun not in _UNCOUNTABLE)
        for noun, emoji in zip(words[::2], words[1::2], strict=True)
    )


def spread(items: Sequence[T], count: int) -> tuple[T, ...]:
    """``count`` items spaced evenly over ``items``, in order; the first is always among them."""
    if not 0 < count <= len(items):
        raise ValueError(f"cannot take {count} of {len(items)}")
    return tuple(items[index * len(items) // count] for index in range(count))


def select(count: int, among: int | None = None) -> tuple[Concept, ...]:
    """``count`` concepts spread over the first selection of ``among`` (default: over the whole table)."""
    table = all_concepts()
    return spread(spread(table, among or len(table)), count)
