"""What is wrong with settings is one line that names the entry and the remedy."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from common.errors import UserError
from common.settings import Settings, checked, entries


class Optimizer(Settings):
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)


class Recipe(Settings):
    feature: Literal["class_token", "both"] = "both"
    optimizer: Optimizer | None = None
    images: Annotated[int, Field(ge=1, le=9, strict=True)] = 1
    validation: bool = Field(True, alias="validate")

    @model_validator(mode="after")
    def _possible(self) -> "Recipe":
        if self.images == 3:
            raise ValueError("images=3 is one too many: give 2")
        return self


def test_what_is_sound_is_read():
    recipe = checked(Recipe, {"feature": "class_token", "optimizer": {"lr": 1}, "validate": False}, "x.py")
    assert (recipe.feature, recipe.optimizer.lr, recipe.validation) == ("class_token", 1.0, False)
    assert checked(Recipe, {}, "x.py") == Recipe()
    assert entries(Recipe) == ["feature", "optimizer", "images", "validate"]
    with pytest.raises(ValueError, match="frozen"):
        recipe.images = 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"featur": "both"}, "no entry 'featur': did you mean feature?"),
        ({"optimizer": {"lrr": 1}}, "no entry 'optimizer.lrr': did you mean lr?"),  # not that lr is missing
        ({"optimizer": {}}, "optimizer.lr is missing: give it a value"),
        ({"validat": 1}, "no entry 'validat': did you mean validate?"),
        ({"feature": "class"}, "feature='class': did you mean class_token?"),
        ({"feature": "zzz"}, "feature='zzz': known: both, class_token"),
        ({"images": 0}, "images=0: should be greater than or equal to 1"),
        ({"images": True}, "images=True: give a whole number"),
        ({"images": "many"}, "images='many': give a whole number"),
        ({"images": 3}, "images=3 is one too many: give 2"),
        ({"optimizer": {"lr": "fast"}}, "optimizer.lr='fast': give a number"),
    ],
)
def test_what_is_wrong_is_one_line(values, message):
    with pytest.raises(UserError) as error:
        checked(Recipe, values, "x.py")
    assert str(error.value).startswith(f"x.py: {message}") and "\n" not in str(error.value)


def test_any_model_can_be_checked():
    class Open(BaseModel):
        seed: int = 0

    assert checked(Open, {"seed": 1, "more": 2}, "x.py").seed == 1
    with pytest.raises(UserError, match=r"x\.py: seed='a': give a whole number"):
        checked(Open, {"seed": "a"}, "x.py")
