"""What is known of a backbone without loading it: the typed backbone.json. Light: no torch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backbones.layout import Layout
from backbones.preprocessing import Preprocessing


class _Open(BaseModel):
    """Keeps what it does not know: files of other versions say more, or less."""

    model_config = ConfigDict(extra="allow")


class NamedArchitecture(_Open):
    """The architecture of weights that say more only once they are read.

    Attributes:
        name: as the source calls it: of the file, of the model.
        family: whose kind of ViT it is.
    """

    name: str
    family: str | None = None


class FlopsPerImage(_Open):
    """Floating-point operations of one training step per image; a multiply-add counts as two.

    Attributes:
        backbone: forward pass of the ViT.
        head: forward pass of the objective: text tower, classifier, similarities.
        total: forward and backward pass of everything.
    """

    backbone: float | None = None
    head: float | None = None
    total: float | None = None


class TrainingCost(_Open):
    """What a pre-training took; None for what is not known.

    Attributes:
        samples: image–text pairs seen, repeats counted.
        seconds: wall-clock time of the training, over all its parts where it was interrupted.
        cpu_seconds: CPU time of the training's processes, those that read data among them.
        labelling_seconds: CPU time of mining the training captions' labels, for objectives that learn them.
        images_per_second: `samples` per second.
        waiting_for_data_seconds: how much of `seconds` was spent waiting for data.
        peak_memory_bytes: the most memory in use at once: of the GPU where there is one, else of the process.
        flops_per_image: of a training step.
        flops: of the whole training.
        precision: ``float32`` or ``bf16``.
        processes: how many trained together.
        devices: that they used: GPUs, or where there is none, cores.
        batch_size: pairs per step, over all processes.
        skipped_samples: unreadable pairs that were left out.
    """

    samples: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    labelling_seconds: float | None = None
    images_per_second: float | None = None
    waiting_for_data_seconds: float | None = None
    peak_memory_bytes: int | None = None
    flops_per_image: FlopsPerImage | None = None
    flops: float | None = None
    precision: str | None = None
    processes: int | None = None
    devices: int | None = None
    batch_size: int | None = None
    skipped_samples: int | None = None


class Card(_Open):
    """A backbone's description of itself. A checkpoint folder holds one as backbone.json.

    Attributes:
        source: where the backbone comes from: the word before the colon of its name. Not in the file.
        format: version of the file.
        architecture: what the ViT computes, or the name of it where only the weights know.
        preprocessing: how images are prepared for it.
        objective: what it was trained by: ``catlip``, ``clip``, ...; None where nobody says.
        head: facts of the objective's head that its cost depends on: widths, size of the vocabulary.
        vocabulary_digest: which vocabulary.csv the synsets are of.
        fingerprint: digest of what decides the outcome of the training.
        recipe: the training's recipe, with every value (`pretraining.recipe.Recipe`).
        config: name of the config file that the recipe was read from.
        command: the command that made the checkpoint.
        validation: losses and other scalars on the validation pairs at the end.
        cost: what the training took.
        environment: versions and hardware it ran on.
        converted_from: the name of the backbone that this one was converted from.
    """

    source: str | None = None
    format: int | None = None
    architecture: Layout | NamedArchitecture | None = None
    preprocessing: Preprocessing | None = None
    objective: str | None = None
    head: dict[str, Any] = Field(default_factory=dict)
    vocabulary_digest: str | None = None
    fingerprint: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    config: str | None = None
    command: str | None = None
    validation: dict[str, Any] = Field(default_factory=dict)
    cost: TrainingCost | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    converted_from: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What was said, as JSON can hold it; a field that was never set is left out."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def from_record(cls, description: dict[str, Any]) -> Card:
        """The card in a record's description, which an older version or another package may have written.

        A field that cannot be understood counts as not set, because a result is worth reading without it.
        """
        try:
            return cls.model_validate(description)
        except ValidationError as error:
            wrong = {problem["loc"][0] for problem in error.errors()}
            return cls.model_validate({key: value for key, value in description.items() if key not in wrong})


def first_problem(error: ValidationError) -> str:
    """Where and what the first thing wrong with a card is, in a few words."""
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
