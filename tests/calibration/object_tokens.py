"""Why the demo's detector tells no backbones apart: what frozen tokens know of an object whose box is known.

    python tests/calibration/object_tokens.py BACKBONE... [--drawing 1]

Draws the demo's detection images anew (another drawing than the demo's own), pools the patch tokens of each
backbone within the true boxes (RoIAlign, 2 x 2), and classifies the objects by logistic regression. Where the
tokens of random weights do nearly as well as pre-trained ones, a detector has little to gain. The penalty is
the best of three *on the test objects*, for every backbone alike: an upper bound, and no figure to report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torchvision.ops import roi_align

from backbones import load_backbone
from backbones.adapt import calibrate_norms
from backbones.vit import ViT, tune
from benchmark.demo_data import DemoSpec, draw_missing

PENALTIES = (1e-3, 1e-2, 1e-1)


def objects(root: Path, split: str) -> list[tuple[Path, torch.Tensor, list[int]]]:
    """Image, boxes [n, 4] (x0, y0, x1, y1) and categories of every image of a split."""
    content = json.loads((root / "annotations" / f"instances_{split}.json").read_text())
    found = []
    for image in content["images"]:
        mine = [each for each in content["annotations"] if each["image_id"] == image["id"]]
        boxes = torch.tensor([each["bbox"] for each in mine], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        found.append((root / split / image["file_name"], boxes, [each["category_id"] for each in mine]))
    return found


def prepared(vit: ViT, path: Path) -> torch.Tensor:
    """[1, 3, H, W], as the backbone's source prepares images, but at their own size."""
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    mean, std = (np.asarray(value, np.float32) for value in (vit.preprocessing.mean, vit.preprocessing.std))
    return torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)[None]


@torch.inference_mode()
def pooled(vit: ViT, split: list[tuple[Path, torch.Tensor, list[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [objects, 4 D] and categories [objects]."""
    tokens, categories = [], []
    for path, boxes, names in split:
        patches = vit(prepared(vit, path)).patches.contiguous()
        tokens.append(roi_align(patches, [boxes], 2, 1 / vit.output_stride, 2, aligned=True).flatten(1))
        categories += names
    return torch.cat(tokens).numpy(), np.array(categories)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("backbones", nargs="+", metavar="BACKBONE")
    parser.add_argument("--drawing", type=int, default=1, help="seed of the images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few = dict.fromkeys(("pairs", "val_pairs", "class_train", "class_val", "class_test"), 1)
        few |= dict.fromkeys(("semantic_train", "semantic_val", "semantic_test"), 1)
        spec = DemoSpec(seed=options.drawing, instances_val=10, instances_test=200, **few)
        root = draw_missing(Path(folder) / "data", spec) / "coco"
        train, test = objects(root, "train"), objects(root, "test")
        for name in options.backbones:
            vit = tune(load_backbone(name).eval(), "cpu")
            calibrate_norms(vit, [prepared(vit, path) for path, *_ in train[:64]])
            (known, labels), (asked, truth) = pooled(vit, train), pooled(vit, test)
            best = max(
                make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=200))
                .fit(known, labels)
                .score(asked, truth)
                for penalty in PENALTIES
            )
            print(
                f"{name}: {100 * best:.1f} % of {len(truth)} objects, after {len(labels)} objects", flush=True
            )


if __name__ == "__main__":
    main()
