"""mmcv's operators on torchvision's kernels: values, gradients, and what is not there."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest
import torch

from backbones.openmmlab import ops

compiled = not ops.install()
pytestmark = pytest.mark.skipif(compiled, reason="a compiled mmcv is installed")

if not compiled:
    from mmcv.ops import batched_nms, nms, roi_align


def bilinear(image, y, x):
    """Value of a [C, H, W] map at (y, x), as RoIAlign defines it; plain tensor arithmetic."""
    _, height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return image[:, 0, 0] * 0
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    y, x = (float(top) if top == height - 1 else y), (float(left) if left == width - 1 else x)
    down, along = y - top, x - left
    return (
        image[:, top, left] * (1 - down) * (1 - along)
        + image[:, top, right] * (1 - down) * along
        + image[:, bottom, left] * down * (1 - along)
        + image[:, bottom, right] * down * along
    )


def plain_roi_align(features, rois, size, scale, ratio, aligned):
    import math

    rows = []
    for index, *corners in rois.tolist():
        x1, y1, x2, y2 = (corner * scale - (0.5 if aligned else 0.0) for corner in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        ny = ratio or math.ceil(height / size)
        nx = ratio or math.ceil(width / size)
        cells = []
        for i in range(size):
            for j in range(size):
                total = 0
                for a in range(ny):
                    for b in range(nx):
                        y = y1 + height / size * (i + (a + 0.5) / ny)
                        x = x1 + width / size * (j + (b + 0.5) / nx)
                        total = total + bilinear(features[int(index)], y, x)
                cells.append(total / max(ny * nx, 1))
        rows.append(torch.stack(cells, 1).unflatten(1, (size, size)))
    return torch.stack(rows)


ROIS = torch.tensor(
    [
        [0, 4.0, 6.0, 39.5, 30.0],
        [1, 0.0, 0.0, 47.0, 47.0],
        [1, 20.3, 11.7, 25.1, 44.9],
        [0, -9.0, -5.0, 12.0, 70.0],  # beyond the image
        [1, 30.0, 30.0, 30.4, 30.2],  # less than one cell
    ]
)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_and_its_gradient_equal_plain_bilinear_sampling(aligned, ratio):
    torch.manual_seed(0)
    ours = torch.randn(2, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    plain = ours.detach().clone().requires_grad_()
    rois = ROIS.double()
    result = roi_align(ours, rois, 3, 0.25, ratio, "avg", aligned)
    expected = plain_roi_align(plain, rois, 3, 0.25, ratio, aligned)
    torch.testing.assert_close(result, expected)
    weights = torch.randn_like(result)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)
    assert ours.grad.abs().sum() > 0


def test_roi_align_takes_bfloat16_and_gives_it_back():
    torch.manual_seed(0)
    half = torch.randn(2, 4, 12, 12).bfloat16().requires_grad_()
    full = half.detach().float().requires_grad_()
    result, expected = (roi_align(x, ROIS.to(x.dtype), 7, 0.25, 2) for x in (half, full))
    assert result.dtype == torch.bfloat16
    rois = ROIS.bfloat16().float()
    torch.testing.assert_close(result.float(), roi_align(full, rois, 7, 0.25, 2), atol=0.02, rtol=0.01)
    assert expected.dtype == torch.float32
    result.sum().backward()
    assert half.grad.dtype == torch.bfloat16 and half.grad.isfinite().all()


def test_roi_align_works_under_autocast_and_without_rois():
    features = torch.randn(1, 4, 8, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = torch.nn.functional.conv2d(features, torch.randn(4, 4, 1, 1))
        result = roi_align(hidden, torch.tensor([[0.0, 0.0, 0.0, 8.0, 8.0]]), 2, 1.0, 2)
    result.sum().backward()
    assert features.grad.abs().sum() > 0
    assert roi_align(features, torch.zeros(0, 5), 2, 1.0, 2).shape == (0, 4, 2, 2)


def test_max_pooling_is_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"roi_align.*pool_mode"):
        roi_align(torch.randn(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 4, 4]]), 2, 1.0, 2, "max")


def plain_nms(boxes, scores, threshold, offset):
    keep = []
    for i in scores.argsort(descending=True).tolist():
        for j in keep:
            left = [max(boxes[i][k], boxes[j][k]) for k in (0, 1)]
            right = [min(boxes[i][k], boxes[j][k]) for k in (2, 3)]
            inner = 1.0
            for a, b in zip(left, right, strict=True):
                inner *= max(0.0, b - a + offset)
            areas = [(b[2] - b[0] + offset) * (b[3] - b[1] + offset) for b in (boxes[i], boxes[j])]
            if inner / (sum(areas) - inner) > threshold:
                break
        else:
            keep.append(i)
    return keep


def random_boxes(number, seed, whole=False):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(number, 2, generator=generator) * 30
    sides = torch.rand(number, 2, generator=generator) * 20 + 1
    boxes = torch.cat([corners, corners + sides], 1)
    return boxes.round() if whole else boxes, torch.rand(number, generator=generator)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.3001, 0.5001, 0.7001])  # no overlap of whole boxes is equal
def test_nms_equals_brute_force(offset, threshold):
    for seed in range(5):
        boxes, scores = random_boxes(60, seed, whole=True)
        dets, kept = nms(boxes, scores, threshold, offset=offset)
        assert kept.tolist() == plain_nms(boxes.tolist(), scores, threshold, offset)
        torch.testing.assert_close(dets, torch.cat([boxes[kept], scores[kept, None]], 1))


def test_offset_counts_corners_as_pixels():
    boxes = torch.tensor(
        [[0.0, 0.0, 9.0, 9.0], [0.0, 5.0, 9.0, 14.0]]
    )  # overlap 1/3 as pixels, 4/14 as lengths
    scores = torch.tensor([0.9, 0.8])
    assert len(nms(boxes, scores, 0.3, offset=0)[1]) == 2
    assert len(nms(boxes, scores, 0.3, offset=1)[1]) == 1


def test_nms_options_of_mmcv_and_bfloat16():
    boxes, scores = random_boxes(40, 1)
    kept = nms(boxes, scores, 0.5, score_threshold=0.4, max_num=5)[1]
    assert len(kept) <= 5 and (scores[kept] > 0.4).all()
    rounded = boxes.bfloat16()
    half = nms(rounded, scores.bfloat16(), 0.5)
    assert half[1].tolist() == nms(rounded.float(), scores.bfloat16().float(), 0.5)[1].tolist()
    assert half[0].dtype == torch.bfloat16
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5)[1].shape == (0,)


def test_batched_nms_never_mixes_classes():
    boxes, scores = random_boxes(80, 3)
    classes = torch.arange(80) % 4
    kept = batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.4})[1]
    expected = []
    for label in range(4):
        rows = (classes == label).nonzero().flatten()
        expected += rows[plain_nms(boxes[rows].tolist(), scores[rows], 0.4, 0)].tolist()
    assert sorted(kept.tolist()) == sorted(expected)
    assert (scores[kept].diff() <= 0).all()
    identical = torch.tensor([[0.0, 0.0, 9.0, 9.0]]).repeat(3, 1)
    labels = torch.tensor([0, 1, 1])
    kept = batched_nms(
        identical, torch.tensor([0.5, 0.9, 0.8]), labels, {"type": "nms", "iou_threshold": 0.5}
    )[1]
    assert kept.tolist() == [1, 0]


def test_another_operator_names_itself_only_when_called():
    from mmcv.ops import soft_nms

    boxes, scores = random_boxes(3, 0)
    with pytest.raises(NotImplementedError, match=r"'softnms'.*compile mmcv"):
        soft_nms(boxes, scores)


def test_a_compiled_mmcv_is_left_alone(monkeypatch):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == ops.NAME:
                return importlib.machinery.ModuleSpec(name, Loader)

    class Loader:
        create_module = staticmethod(lambda spec: ModuleType(spec.name))
        exec_module = staticmethod(lambda module: setattr(module, "nms", "compiled"))

    mine = sys.modules[ops.NAME]
    monkeypatch.delitem(sys.modules, ops.NAME)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert ops.install() is False
    assert sys.modules[ops.NAME].nms == "compiled"
    assert ops.install() is False
    monkeypatch.setitem(sys.modules, ops.NAME, mine)
    sys.modules["mmcv"]._ext = mine


def test_a_broken_build_is_replaced_with_a_warning(monkeypatch, caplog):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == ops.NAME:
                raise ImportError("undefined symbol: _ZN2at")

    mine = sys.modules[ops.NAME]
    monkeypatch.delitem(sys.modules, ops.NAME)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert ops.install() is True
    assert "undefined symbol" in caplog.text
    monkeypatch.setitem(sys.modules, ops.NAME, mine)
    sys.modules["mmcv"]._ext = mine


def test_placeholders_of_modules_loaded_earlier_are_mended(monkeypatch):
    module = ModuleType("mmdet.loaded_too_early")
    source = "def batched_nms(*args): raise RuntimeError\ndef other(): pass"
    exec(source, vars(module))
    other = module.other
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules["mmcv"], "_ext", sys.modules[ops.NAME])  # restored afterwards
    monkeypatch.delitem(sys.modules, ops.NAME)
    assert ops.install()
    assert module.batched_nms is batched_nms and module.other is other


def test_mmdetection_imports_in_a_fresh_process_after_install():
    code = """if True:
        import importlib.util, sys
        import backbones.openmmlab.ops
        assert "mmcv.ops" not in sys.modules
        assert backbones.openmmlab.ops.install() and backbones.openmmlab.ops.install()
        assert importlib.util.find_spec("mmcv._ext") is not None
        import mmcv.ops
        import mmdet.structures.mask.structures as structures
        assert structures.roi_align is mmcv.ops.roi_align
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
