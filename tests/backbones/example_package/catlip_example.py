"""The smallest package that adds a source of backbones; an entry point makes it known.

In a real package pyproject.toml says

    [project.entry-points."catlip_transfer.backbones"]
    example = "catlip_example:ExampleReader"
"""

from backbones.checkpoints.base import Reader
from backbones.released import Entry


class ExampleReader(Reader):
    """``example:ARCHITECTURE`` is a random ViT whose seed is 7."""

    source = "example"

    def load(self, rest: str, seed: int = 0, weights: bool = True):
        """The backbone; what `weights` would spare is little here."""
        from backbones import load_backbone

        return load_backbone(f"random:{rest}", seed=7)

    def describe(self, rest: str):
        """The name, and what nobody else would know."""
        return super().describe(rest).model_copy(update={"objective": "none", "price": "nothing"})

    def entries(self):
        """What the list shows."""
        return [Entry("example:vit_nano_conv16", "random weights; an example of another package's backbone")]
