"""Released weights that the catalogue lists: what they are and where to get them. Nothing is fetched.

What can be compared with the installed timm and open_clip is compared by tests/backbones/test_every_name.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One line of ``list backbones``.

    Attributes:
        name: what `load_backbone` is given; FILE and FOLDER stand for the user's own.
        architecture, objective, data, cost, licence, where: as their source states them, or empty when it
            states nothing; `cost` is the length of pre-training.
    """

    name: str
    architecture: str
    objective: str = ""
    data: str = ""
    cost: str = ""
    licence: str = ""
    where: str = ""

    @property
    def summary(self) -> str:
        """Everything that is known, in one line."""
        parts = [self.architecture, self.objective and f"trained by {self.objective}"]
        parts += [self.data and f"on {self.data}", self.cost, self.licence and f"licence {self.licence}"]
        parts += [self.where and f"weights: {self.where}"]
        return "; ".join(part for part in parts if part)


_CORENET = "https://docs-assets.developer.apple.com/ml-research/models/corenet/v0.1.0"
_APPLE = "Apple's own, LICENSE of apple/corenet"
_LENGTH = "200k iterations at batch 65,536 (arXiv 2404.15653)"


def _catlip(size: str, shape: str) -> list[Entry]:
    """Weights linked in projects/catlip of apple/corenet, README-pretraining and README-single-label."""
    title = f"{shape} with convolutional stem, 224 px"
    where = f"{_CORENET}/catlip/pretrained_models/vit_{size}.pt"
    tuned = f"{_CORENET}/catlip/image-classification/imagenet-1k/vit_{size}.pt"
    return [
        Entry(f"corenet:vit_{size}.pt", title, "CatLIP", "DataComp-1.3B", _LENGTH, _APPLE, where),
        Entry(
            f"corenet:vit_{size}_imagenet1k.pt",
            f"{title}, fine-tuned on ImageNet-1k",
            "CatLIP",
            "DataComp-1.3B, ImageNet-1k",
            f"{_LENGTH}, then 10 epochs",
            _APPLE,
            tuned,
        ),
    ]


def _timm(
    name: str, shape: str, objective: str, data: str, cost: str = "", repository: str | None = None
) -> Entry:
    """Licence and place as timm's own configuration of the weights says them."""
    where = f"timm/{repository or name} on the Hugging Face hub; --download lets timm fetch them"
    return Entry(f"timm:{name}", shape, objective, data, cost, "apache-2.0", where)


def _openclip(tag: str, data: str, cost: str, repository: str) -> Entry:
    """A tag of OpenCLIP's table; the licence is that of the model card."""
    return Entry(
        f"openclip:ViT-B-16.pt?model=ViT-B-16&pretrained={tag}",
        "ViT-B/16, 224 px",
        "CLIP",
        data,
        cost,
        "mit",
        f"{repository} on the Hugging Face hub",
    )


_OPENAI = "https://openaipublic.azureedge.net/clip/models"
_WIT = "32 epochs of 400 M pairs (arXiv 2103.00020)"

RELEASED: tuple[Entry, ...] = (
    *_catlip("base", "ViT-B/16"),
    *_catlip("large", "ViT-L/16"),
    *_catlip("huge", "ViT-H/16"),
    Entry(
        "corenet:clip_vit_base.pt",
        "ViT-B/16 with convolutional stem, 224 px",
        "CLIP",
        "DataComp-1.3B",
        _LENGTH,
        _APPLE,
        f"{_CORENET}/clip/clip_vit_base.pt",
    ),
    Entry(
        "openai:ViT-B-16.pt",
        "ViT-B/16, 224 px",
        "CLIP",
        "WIT-400M (OpenAI)",
        _WIT,
        "mit (of OpenAI's code)",
        f"{_OPENAI}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    ),
    _openclip(
        "laion2b_s34b_b88k",
        "LAION-2B",
        "34 G samples at batch 88k",
        "laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
    ),
    _openclip(
        "datacomp_xl_s13b_b90k",
        "DataComp-1B",
        "13 G samples at batch 90k",
        "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    ),
    _timm(
        "vit_base_patch16_clip_quickgelu_224.openai",
        "ViT-B/16, 224 px",
        "CLIP",
        "WIT-400M (OpenAI)",
        _WIT,
        repository="vit_base_patch16_clip_224.openai",
    ),
    _timm(
        "vit_base_patch16_clip_224.openai",
        "ViT-B/16, 224 px, with GELU where it was trained with quick GELU",
        "CLIP",
        "WIT-400M (OpenAI)",
        _WIT,
    ),
    _timm("vit_base_patch16_clip_224.laion2b", "ViT-B/16, 224 px", "CLIP", "LAION-2B"),
    _timm("vit_base_patch16_siglip_224.webli", "ViT-B/16, 224 px", "SigLIP", "WebLI"),
    _timm("vit_base_patch14_dinov2.lvd142m", "ViT-B/14, 518 px", "DINOv2", "LVD-142M"),
    _timm("vit_base_patch14_reg4_dinov2.lvd142m", "ViT-B/14, 518 px, 4 registers", "DINOv2", "LVD-142M"),
    _timm(
        "vit_base_patch16_224.augreg_in21k",
        "ViT-B/16, 224 px",
        "classification",
        "ImageNet-21k",
        "300 epochs",
    ),
    Entry(
        "hf:FOLDER", "CLIP, SigLIP, ViT or DINOv2 as transformers saves it: config.json and model.safetensors"
    ),
    Entry(
        "superclass:FILE",
        "ViT of SuperClass (arXiv 2411.03313)",
        "SuperClass",
        licence="apache-2.0",
        where="trained with github.com/x-cls/superclass, which links no weights",
    ),
    Entry("corenet:FILE?vocabulary=CSV", "any ViT of CoreNet; the vocabulary keeps the synset classifier"),
    Entry(
        "openclip:FILE?model=NAME&pretrained=TAG",
        "any ViT of OpenCLIP (or FOLDER with open_clip_config.json)",
    ),
    Entry("openai:FILE", "any of OpenAI's CLIP ViTs, read without running the archive's code"),
    Entry(
        "timm:NAME[:FILE]",
        "any plain ViT of timm: its own weights, or a local FILE, or a FOLDER as timm saves it",
    ),
    Entry("run:FOLDER", "a folder of this suite, from pretrain or convert"),
)


def released(name: str) -> Entry | None:
    """The released weights that a backbone's name means, as far as it tells: a copy keeps its file's name.

    Args:
        name: what `backbones.load_backbone` understands.
    """
    source, _, rest = name.partition(":")
    file, mark, options = rest.partition("?")
    given = f"{source}:{file.rpartition('/')[2]}"
    meant = (given + mark + options, given)
    return next((entry for entry in RELEASED if entry.where and entry.name in meant), None)
