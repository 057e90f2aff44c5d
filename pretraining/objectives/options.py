"""What a recipe may say to each objective beside its type. Light: no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings

InitialBias = Literal["log_odds", "mean_log_odds", "zero"]


class CatLIPOptions(Settings):
    """See `pretraining.objectives.catlip.CatLIP`."""

    initial_bias: InitialBias = "log_odds"
    min_count: int = Field(1, ge=1)


class CLIPOptions(Settings):
    """See `pretraining.objectives.clip.CLIP`."""

    embed_dim: int = Field(512, ge=1, le=65_536)
    text_width: int = Field(512, ge=1, le=65_536)
    text_layers: int = Field(12, ge=1, le=1024)
    text_heads: int = Field(8, ge=1, le=65_536)
    context_length: int = Field(77, ge=3, le=65_536)
    init_temperature: float = Field(0.07, ge=1e-4, le=1e4)

    @model_validator(mode="after")
    def _check_heads(self) -> CLIPOptions:
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width={self.text_width} is not shared by {self.text_heads} heads evenly")
        return self
