"""Batches of noise as MMDetection's and MMSegmentation's data loaders would hand them on."""

from __future__ import annotations

from typing import Any

import torch


def detection_batch(images: int, size: int, objects: int = 3, classes: int = 24) -> dict[str, Any]:
    """Square pictures of `size` pixels with boxes and masks of up to nearly half of that."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    shape = (size, size)
    samples = []
    for _ in range(images):
        sample = DetDataSample(metainfo={"img_shape": shape, "ori_shape": shape, "pad_shape": shape})
        corners = torch.randint(0, size // 2, (objects, 2)).float()
        boxes = torch.cat([corners, corners + torch.randint(size // 8, size * 7 // 16, (objects, 2))], 1)
        masks = torch.zeros(objects, *shape, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances = InstanceData(
            bboxes=boxes,
            labels=torch.randint(0, classes, (objects,)),
            masks=BitmapMasks(masks.numpy(), *shape),
        )
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
        samples.append(sample)
    return {"inputs": _noise(images, size), "data_samples": samples}


def segmentation_batch(images: int, size: int, classes: int = 36) -> dict[str, Any]:
    """Square pictures of `size` pixels, each pixel of any class."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = []
    for _ in range(images):
        sample = SegDataSample(metainfo={"img_shape": (size, size), "ori_shape": (size, size)})
        sample.gt_sem_seg = PixelData(data=torch.randint(0, classes, (1, size, size)))
        samples.append(sample)
    return {"inputs": _noise(images, size), "data_samples": samples}


def _noise(images: int, size: int) -> list[torch.Tensor]:
    return [torch.randint(0, 255, (3, size, size), dtype=torch.uint8) for _ in range(images)]
