"""Tiny drawn data sets for the tests of detection and segmentation, and overrides for models as tiny."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60)}

SMALL_DETECTOR = {
    "train_cfg.max_iters": 4,
    "train_cfg.val_interval": 100,
    "train_dataloader.batch_size": 2,
    "default_hooks.checkpoint.interval": 2,
    "default_hooks.logger.interval": 1,
    "model.test_cfg.rcnn.score_thr": 0.0,
    "model.neck.out_channels": 32,
    "model.rpn_head.in_channels": 32,
    "model.rpn_head.feat_channels": 32,
    "model.roi_head.bbox_roi_extractor.out_channels": 32,
    "model.roi_head.mask_roi_extractor.out_channels": 32,
    "model.roi_head.bbox_head.in_channels": 32,
    "model.roi_head.mask_head.in_channels": 32,
    "train_dataloader.dataset.pipeline.2.scale": (64, 64),
    "test_dataloader.dataset.pipeline.1.scale": (64, 64),
    "optim_wrapper.precision": "float32",
}
SMALL_SEGMENTOR = {
    "train_cfg.max_iters": 4,
    "train_cfg.val_interval": 100,
    "train_dataloader.batch_size": 2,
    "default_hooks.checkpoint.interval": 2,
    "model.data_preprocessor.size": (64, 64),
    "train_dataloader.dataset.pipeline.2.scale": (64, 64),
    "train_dataloader.dataset.pipeline.3.crop_size": (64, 64),
    "test_dataloader.dataset.pipeline.1.scale": (64, 64),
    "optim_wrapper.precision": "float32",
}


SMALL_CLASSIFIER = {
    "train_cfg.max_epochs": 2,
    "train_dataloader.batch_size": 2,
    "train_dataloader.dataset.transform.input_size": 32,
    "val_dataloader.dataset.transform.input_size": 32,
    "test_dataloader.dataset.transform.input_size": 32,
    "optim_wrapper.precision": "float32",
    "param_scheduler": [],
}


def write_coco(root: Path, splits: dict[str, int], size: int = 64) -> Path:
    """COCO-format data: one or two coloured rectangles per picture, polygons as masks."""
    (root / "annotations").mkdir(parents=True)
    names = list(COLOURS)
    image_id = annotation_id = 0
    for number, (split, images) in enumerate(splits.items()):
        generator = np.random.default_rng(number)
        folder = root / split
        folder.mkdir()
        content = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 3 * k + 1, "name": name} for k, name in enumerate(names)],
        }
        for _ in range(images):
            image_id += 1
            width, height = size, size - 8 * (image_id % 3)
            pixels = np.full((height, width, 3), 120, np.uint8) + generator.integers(
                0, 20, (height, width, 3), np.uint8
            )
            content["images"].append(
                {"id": image_id, "file_name": f"{image_id:06}.jpg", "width": width, "height": height}
            )
            for k in generator.permutation(len(names))[: 1 + image_id % 2]:
                annotation_id += 1
                w, h = (int(v) for v in generator.integers(size // 5, size // 2, 2))
                x, y = int(generator.integers(0, width - w)), int(generator.integers(0, height - h))
                pixels[y : y + h, x : x + w] = COLOURS[names[k]]
                polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
                content["annotations"].append(
                    {
                        "id": annotation_id,
                        "image_id": image_id,
                        "category_id": 3 * int(k) + 1,
                        "bbox": [x, y, w, h],
                        "area": w * h,
                        "iscrowd": 0,
                        "segmentation": [polygon],
                    }
                )
            Image.fromarray(pixels).save(folder / f"{image_id:06}.jpg", quality=95)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


def write_ade20k(
    root: Path, splits: dict[str, int], size: int = 64, classes: tuple[str, ...] | None = ("a", "b", "c")
) -> Path:
    """ADEChallengeData2016's layout: two coloured halves and a square that belongs to no class.

    The classes are things and stuff in turns.
    """
    colours = np.array([(10, 10, 10), (220, 40, 40), (40, 200, 60), (40, 60, 220)], np.uint8)
    for number, (split, images) in enumerate(splits.items()):
        generator = np.random.default_rng(number)
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        for index in range(images):
            height, width = size, size + 8 * (index % 3)
            label = np.empty((height, width), np.uint8)
            left, right = generator.permutation(3)[:2] + 1
            edge = int(generator.integers(width // 4, 3 * width // 4))
            label[:, :edge], label[:, edge:] = left, right
            label[:8, :8] = 0
            Image.fromarray(colours[label]).save(root / "images" / split / f"{index:04}.jpg", quality=95)
            Image.fromarray(label).save(root / "annotations" / split / f"{index:04}.png")
    if classes:
        rows = [
            f"{index},{name},{('thing', 'stuff')[(index - 1) % 2]}\n" for index, name in enumerate(classes, 1)
        ]
        (root / "classes.csv").write_text("index,name,kind\n0,other,\n" + "".join(rows))
    return root
