"""Pictures and label maps as MMDetection and MMSegmentation read them; what they cannot read is named."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import TRANSFORMS

from benchmark.data.ade20k import label_fault
from benchmark.data.images import is_plain, read_image
from common.errors import UserError, first_line

with contextlib.redirect_stdout(io.StringIO()):  # both print that a product they could go with is missing
    from mmseg.datasets.transforms import LoadAnnotations


def name_broken_files(dataset: Any, classes: int | None = None) -> None:
    """Let a data set's pipeline read by what follows: the same pixels, and errors that name the file.

    Args:
        dataset: config of a data set; its pipeline is changed.
        classes: that label maps may show, 1 and up; None where labels are no pictures.
    """
    for step in dataset.pipeline:
        if step.type == "LoadImageFromFile":
            step.type = ReadPicture.__name__
        elif step.type == "LoadAnnotations" and classes is not None:
            step.type, step.classes = ReadLabels.__name__, classes


@TRANSFORMS.register_module()
class ReadPicture(LoadImageFromFile):
    """Reads a picture as MMCV does; what it would not show as a viewer does, `read_image` reads.

    Raises:
        UserError: it cannot be read, or has another size than its annotations say; the message names it.
    """

    def transform(self, results: dict) -> dict | None:
        path = results["img_path"]
        if not is_plain(path):
            picture = mmcv.rgb2bgr(np.asarray(read_image(path)))
            results["img"] = picture.astype(np.float32) if self.to_float32 else picture
            results["img_shape"] = results["ori_shape"] = picture.shape[:2]
        else:
            try:
                results = super().transform(results)
            except Exception as error:  # what a broken file makes of OpenCV differs
                raise UserError(
                    f"{path} is no readable image ({first_line(error)}): replace or remove it"
                ) from None
        height, width = results["ori_shape"]
        said = (results.get("width", width), results.get("height", height))
        if said != (width, height):
            raise UserError(f"{path} is {width}x{height}, its annotations say {said[0]}x{said[1]}")
        return results


@TRANSFORMS.register_module()
class ReadLabels(LoadAnnotations):
    """Reads a label map as MMSegmentation does, and looks whether it fits its image.

    Args:
        classes: that it may show.

    Raises:
        UserError: it cannot be read or does not fit; the message names it.
    """

    def __init__(self, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes

    def _load_seg_map(self, results: dict) -> None:
        path = results["seg_map_path"]
        if fault := label_fault(path, results["ori_shape"][::-1]):
            raise UserError(fault)
        try:
            super()._load_seg_map(results)
        except Exception as error:  # as above
            raise UserError(f"{path} cannot be read ({first_line(error)}): unpack again") from None
        shown = results["gt_seg_map"]
        highest = int(shown[shown != 255].max(initial=0)) + bool(results["reduce_zero_label"])
        if highest > self.classes:
            raise UserError(f"{path} has label {highest}, there are {self.classes} classes: mend it")
