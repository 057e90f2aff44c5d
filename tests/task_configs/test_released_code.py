"""What the paper's configs take from the released code, CoreNet, and OpenMMLab has otherwise by default."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from PIL import Image
from torchvision.ops import MultiScaleRoIAlign

import backbones.openmmlab
from backbones.openmmlab.pyramid import SimpleFPN

ROOT = Path(__file__).parents[2] / "task_configs"
COCO = [Config.fromfile(ROOT / "detection" / f"coco_mask_rcnn_vit_{size}.py") for size in ("base", "huge")]
ADE20K = Config.fromfile(ROOT / "segmentation" / "ade20k_deeplabv3_vit_base.py")


@pytest.mark.parametrize("head", ["bbox", "mask"])
def test_boxes_are_pooled_as_torchvisions_mask_rcnn_pools_them(head):
    from mmdet.registry import MODELS

    cfg = COCO[0].model.roi_head[f"{head}_roi_extractor"]
    torch.manual_seed(0)
    maps = [torch.randn(1, 256, 1024 // stride, 1024 // stride) for stride in (4, 8, 16, 32, 64)]
    sides = torch.tensor([2, 20, 100, 113, 150, 223, 225, 440, 460, 890, 900, 1020.0])
    corners = torch.rand(len(sides), 2) * (1024 - sides[:, None])
    boxes = torch.cat([corners, corners + torch.stack([sides, sides * 0.99], 1)], 1)
    pool = MultiScaleRoIAlign([str(k) for k in range(5)], cfg.roi_layer.output_size, sampling_ratio=2)
    theirs = pool({str(k): m for k, m in enumerate(maps)}, [boxes], [(1024, 1024)])
    with DefaultScope.overwrite_default_scope("mmdet"):
        extractor = MODELS.build(cfg)
    ours = extractor(maps, torch.cat([torch.zeros(len(boxes), 1), boxes], 1))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cfg", COCO, ids=["base", "huge"])
def test_only_the_transposed_convolutions_of_the_neck_and_flat_parameters_are_not_decayed(cfg):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = backbones.openmmlab.ViTBackbone("random:vit_nano_conv16")
            self.neck = SimpleFPN(32, 8)

    model = Model()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    decayed = {
        id(parameter)
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"] == 0.1
    }
    for name, parameter in model.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim > 1 and "neck.scales" not in name), name


@pytest.mark.parametrize("cfg", [*COCO, ADE20K], ids=["coco", "coco_huge", "ade20k"])
def test_batch_norm_is_trained_and_averaged(cfg):
    assert cfg.model.backbone.norm_eval is False
    assert cfg.custom_hooks == [{"type": "EMAHook", "momentum": 1e-4, "update_buffers": True}]


def test_box_losses_and_small_objects_are_torchvisions():
    cfg = COCO[0].model
    for head in (cfg.rpn_head, cfg.roi_head.bbox_head):
        assert head.loss_bbox == {"type": "SmoothL1Loss", "beta": 1 / 9, "loss_weight": 1.0}
    from mmdet.registry import TASK_UTILS
    from mmengine.structures import InstanceData

    anchors = InstanceData(priors=torch.tensor([[0, 0, 32.0, 32.0], [300, 300, 332, 332]]))
    small = InstanceData(bboxes=torch.tensor([[4, 4, 10.0, 10.0]]), labels=torch.tensor([0]))
    with DefaultScope.overwrite_default_scope("mmdet"):
        assigned = TASK_UTILS.build(cfg.train_cfg.rpn.assigner).assign(anchors, small)
    assert assigned.gt_inds.tolist() == [1, 0]


def test_the_segmentation_head_is_corenets():
    head = ADE20K.model.decode_head
    assert head.act_cfg == {"type": "GELU"} and head.align_corners is True
    assert ADE20K.optim_wrapper.paramwise_cfg.undecayed == []


@pytest.fixture
def picture(tmp_path):
    """A picture and its labels, and where MMSegmentation looks for them."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (300, 900, 3), np.uint8))
    image.save(tmp_path / "image.png")
    Image.fromarray(generator.integers(0, 4, (300, 900), np.uint8)).save(tmp_path / "labels.png")
    info = {"img_path": str(tmp_path / "image.png"), "seg_map_path": str(tmp_path / "labels.png")}
    return image, {**info, "reduce_zero_label": True, "seg_fields": []}


def steps(pipeline, number):
    import mmseg.datasets  # noqa: F401
    from mmseg.registry import TRANSFORMS

    with DefaultScope.overwrite_default_scope("mmseg"):
        return [TRANSFORMS.build(step) for step in pipeline[:number]]


def test_ade20k_is_resized_by_pillows_bicubic_filter(picture):
    image, info = picture
    for step in steps(ADE20K.test_dataloader.dataset.pipeline, 2):
        info = step(info)
    expected = image.resize((512, 512), Image.Resampling.BICUBIC)
    assert np.array_equal(info["img"][..., ::-1], np.asarray(expected))


def test_ade20ks_short_side_is_drawn_and_the_long_one_bounded(picture):
    image, info = picture
    *load, resize = steps(ADE20K.train_dataloader.dataset.pipeline, 3)
    for step in load:
        info = step(info)
    np.random.seed(0)
    sizes = set()
    for _ in range(6):
        result = resize(dict(info))
        width, height = result["img"].shape[1::-1]
        expected = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
        assert np.array_equal(result["img"][..., ::-1], expected)
        assert result["gt_seg_map"].shape == (height, width)
        assert set(np.unique(result["gt_seg_map"])) <= {0, 1, 2, 255}
        sizes.add(height)
        assert 256 <= height <= 342 and width in (3 * height, 1024)  # 341 x 1024 at most
    assert len(sizes) > 1
    assert [min(scale) for scale in resize.scales] == list(range(256, 769))


@pytest.mark.parametrize("cfg", COCO, ids=["base", "huge"])
def test_coco_is_resized_by_pillow(cfg):
    resizes = [cfg.train_dataloader.dataset.dataset.pipeline[2], cfg.test_dataloader.dataset.pipeline[1]]
    assert [step.backend for step in resizes] == ["pillow", "pillow"]


def test_the_demo_keeps_its_own():
    cfg = Config.fromfile(ROOT / "detection" / "demo_mask_rcnn.py").model
    for head in ("bbox", "mask"):
        extractor = cfg.roi_head[f"{head}_roi_extractor"]
        assert extractor.roi_layer.aligned is True and extractor.featmap_strides == [8, 16]
    assert (
        cfg.rpn_head.loss_bbox == cfg.roi_head.bbox_head.loss_bbox == {"type": "L1Loss", "loss_weight": 1.0}
    )
    assert cfg.train_cfg.rpn.assigner.min_pos_iou == 0.3
