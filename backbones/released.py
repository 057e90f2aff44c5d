"""Released weights that the catalogue lists: what they are and where to get them. Nothing is fetched."""

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
_APPLE = "Apple's, see LICENSE of apple/corenet"
_LENGTH = "200k iterations at batch 65,536 (arXiv 2404.15653)"


def _catlip(size: str, shape: str) -> list[Entry]:
    where = f"{_CORENET}/catlip/pretrained_models/vit_{size}.pt"
    tuned = f"{_CORENET}/catlip/image-classification/imagenet-1k/vit_{size}.pt"
    title = f"{shape} with convolutional stem, 224 px"
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


def _timm(name: str, shape: str, objective: str, data: str, licence: str, cost: str = "") -> Entry:
    return Entry(f"timm:{name}", shape, objective, data, cost, licence, f"timm fetches timm/{name}")


_OPENAI = "https://openaipublic.azureedge.net/clip/models"

RELEASED: tuple[Entry, ...] = (
    *_catlip("base", "ViT-B/16"),
    *_catlip("large", "ViT-L/16"),
    *_catlip("huge", "ViT-H/16"),
    Entry(
        "openai:ViT-B-16.pt",
        "ViT-B/16, 224 px",
        "CLIP",
        "WIT-400M (OpenAI)",
        "32 epochs, 12.8 G samples",
        "MIT",
        f"{_OPENAI}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    ),
    Entry(
        "openclip:ViT-B-16.pt?model=ViT-B-16&pretrained=laion2b_s34b_b88k",
        "ViT-B/16, 224 px",
        "CLIP",
        "LAION-2B",
        "34 G samples at batch 88k",
        "MIT",
        "Hugging Face laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
    ),
    Entry(
        "openclip:ViT-B-16.pt?model=ViT-B-16&pretrained=datacomp_xl_s13b_b90k",
        "ViT-B/16, 224 px",
        "CLIP",
        "DataComp-1B",
        "13 G samples at batch 90k",
        "MIT",
        "Hugging Face laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    ),
    _timm("vit_base_patch16_clip_224.openai", "ViT-B/16, 224 px", "CLIP", "WIT-400M (OpenAI)", "apache-2.0"),
    _timm("vit_base_patch16_clip_224.laion2b", "ViT-B/16, 224 px", "CLIP", "LAION-2B", "mit"),
    _timm("vit_base_patch16_siglip_224.webli", "ViT-B/16, 224 px", "SigLIP", "WebLI", "apache-2.0"),
    _timm("vit_base_patch14_dinov2.lvd142m", "ViT-B/14, 518 px", "DINOv2", "LVD-142M", "apache-2.0"),
    _timm(
        "vit_base_patch14_reg4_dinov2.lvd142m", "ViT-B/14, 4 registers", "DINOv2", "LVD-142M", "apache-2.0"
    ),
    _timm(
        "vit_base_patch16_224.augreg_in21k",
        "ViT-B/16, 224 px",
        "classification",
        "ImageNet-21k",
        "apache-2.0",
    ),
    Entry(
        "hf:FOLDER", "CLIP, SigLIP, ViT or DINOv2 as transformers saves it: config.json and model.safetensors"
    ),
    Entry(
        "superclass:FILE",
        "ViT of SuperClass (arXiv 2411.03313)",
        "SuperClass",
        where="github.com/x-cls/superclass",
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
