"""Simple FPN: sizes, and who feeds whom."""

import pytest
import torch

from backbones.openmmlab.pyramid import SimpleFPN

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("top_down", [True, False])
@pytest.mark.parametrize("num_outs", [4, 5])
@pytest.mark.parametrize("grid", [(4, 6), (5, 3)])
def test_maps_lie_at_strides_4_to_64(top_down, num_outs, grid):
    neck = SimpleFPN(32, out_channels=8, num_outs=num_outs, top_down=top_down)
    maps = neck((torch.randn(2, 32, *grid),))
    sizes = [[4 * g for g in grid], [2 * g for g in grid], list(grid), [-(-g // 2) for g in grid]]
    sizes.append([-(-g // 4) for g in grid])
    assert [list(m.shape) for m in maps] == [[2, 8, *size] for size in sizes[:num_outs]]


@pytest.mark.parametrize("top_down", [True, False])
def test_it_can_begin_with_a_coarser_map(top_down):
    neck = SimpleFPN(32, out_channels=8, num_outs=3, top_down=top_down, start_level=1)
    maps = neck((torch.randn(1, 32, 4, 4),))
    assert [m.shape[-1] for m in maps] == [8, 4, 2]
    sum((m * torch.randn_like(m)).sum() for m in maps).backward()
    assert all(p.grad is not None for p in neck.parameters())


def reaches(neck, output, level):
    """Whether an output depends on the lateral projection of a level."""
    neck.zero_grad()
    maps = neck((torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0)),))
    # after a LayerNorm over channels a plain sum is constant
    (
        maps[output] * torch.randn(maps[output].shape, generator=torch.Generator().manual_seed(1))
    ).sum().backward()
    gradient = neck.laterals[level][0].weight.grad
    return gradient is not None and bool(gradient.abs().sum() > 1e-6)


def test_the_top_down_path_carries_coarse_maps_to_fine_ones_only():
    torch.manual_seed(0)
    neck = SimpleFPN(16, out_channels=8)
    table = [[reaches(neck, output, level) for level in range(4)] for output in range(5)]
    assert table == [
        [True, True, True, True],
        [False, True, True, True],
        [False, False, True, True],
        [False, False, False, True],
        [False, False, False, True],
    ]


def test_without_it_every_level_is_its_own():
    torch.manual_seed(0)
    neck = SimpleFPN(16, out_channels=8, top_down=False)
    table = [[reaches(neck, output, level) for level in range(4)] for output in range(4)]
    assert table == [[output == level for level in range(4)] for output in range(4)]


def test_every_parameter_is_trained():
    for top_down in (True, False):
        neck = SimpleFPN(16, out_channels=8, top_down=top_down)
        maps = neck((torch.randn(1, 16, 4, 4),))
        sum((m * torch.randn_like(m)).sum() for m in maps).backward()
        assert [name for name, p in neck.named_parameters() if p.grad is None] == []


def test_catlips_neck_has_the_sizes_of_the_released_code():
    """Hand-counted for ViT-B: transposed convolutions, LayerNorms, 1x1 and 3x3 convolutions; with biases."""
    neck = SimpleFPN(768)
    upsampling = (768 * 384 * 4 + 384) + 2 * 384 + (384 * 192 * 4 + 192) + (768 * 384 * 4 + 384)
    laterals = (192 + 384 + 768 + 768) * 256 + 4 * 3 * 256
    outputs = 5 * (256 * 256 * 9 + 3 * 256)
    assert sum(p.numel() for p in neck.parameters()) == upsampling + laterals + outputs


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="num_outs"):
        SimpleFPN(32, num_outs=3)
    with pytest.raises(ValueError, match="start_level"):
        SimpleFPN(32, num_outs=1, start_level=3)
    with pytest.raises(ValueError, match="divisible by 4"):
        SimpleFPN(30)
