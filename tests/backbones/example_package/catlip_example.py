"""The smallest package that adds a source of backbones; an entry point makes it known.

In a real package pyproject.toml says

    [project.entry-points."catlip_transfer.backbones"]
    example = "catlip_example"
"""


def load(rest: str):
    """``example:ARCHITECTURE`` is a random ViT whose seed is 7."""
    from backbones import load_backbone

    return load_backbone(f"random:{rest}", seed=7)


def describe(rest: str) -> dict:
    return {"architecture": {"name": rest}, "objective": "none", "cost": "nothing"}


def entries():
    return [("example:vit_nano_conv16", "random weights; an example of another package's backbone")]
