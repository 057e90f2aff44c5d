"""The loss of a batch and its gradients, of as many processes as share it: for test_processes.py."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from backbones.architectures import ARCHITECTURES
from backbones.vit import build_vit
from common.training import group
from common.training.runner import ResumableRunner
from pretraining.model import ImageTextModel
from pretraining.objectives.base import ImageTextBatch
from pretraining.objectives.catlip import CatLIP
from pretraining.objectives.clip import CLIP

BATCH, CLASSES, CONTEXT = 8, 11, 6


def model_of(objective: str) -> ImageTextModel:
    torch.manual_seed(0)
    vit = build_vit(ARCHITECTURES["vit_nano_conv16"])
    if objective == "catlip":
        return ImageTextModel(vit, CatLIP(32, class_counts=range(1, CLASSES + 1), num_captions=40))
    shape = {"embed_dim": 8, "text_width": 8, "text_layers": 1, "text_heads": 1}
    return ImageTextModel(vit, CLIP(32, context_length=CONTEXT, **shape))


def share(number: int, processes: int) -> ImageTextBatch:
    """A process's part of the batch; images that name no class, one and several are among them."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (BATCH, 3, 32, 32), generator=generator, dtype=torch.uint8)
    text = torch.randint(1, 49_000, (BATCH, CONTEXT), generator=generator)
    rows = torch.tensor([0, 0, 1, 3, 4, 4, 4, 7])
    classes = torch.tensor([1, 5, 10, 0, 2, 3, 4, 9])
    first, last = (BATCH * part // processes for part in (number, number + 1))
    mine = (rows >= first) & (rows < last)
    return ImageTextBatch(
        images[first:last],
        ["a caption"] * (last - first),
        text=text[first:last],
        label_rows=rows[mine] - first,
        label_classes=classes[mine],
    )


def gradients(objective: str) -> dict[str, torch.Tensor]:
    """The loss of the whole batch, as ``loss``, and its gradients by the names of their parameters."""
    group.join()
    processes = len(group.gather(None))
    model = model_of(objective).train()
    wrapped = model
    if processes > 1:
        wrapped = ResumableRunner.wrap_model(SimpleNamespace(distributed=True, cfg={}), None, model)
    loss = wrapped(share(group.rank(), processes))["loss"]
    loss.backward()
    found = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    return found | group.mean({"loss": loss.detach()})


if __name__ == "__main__":
    group.adopt()
    found = {name: gradients(name) for name in ("catlip", "clip")}
    if group.is_first():
        torch.save(found, Path(sys.argv[1]))
    group.wait()
