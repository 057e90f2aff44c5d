"""Maps of tokens at other strides."""

import pytest
import torch
import torch.nn.functional as F

from backbones.resample import resample


def ramp(patch, height, width):
    """Tokens that say where they are: the pixel at their centre, down and to the right."""
    rows, columns = (-(-side // patch) for side in (height, width))
    grid = [(torch.arange(count) + 0.5) * patch for count in (rows, columns)]
    return torch.stack(torch.meshgrid(*grid, indexing="ij"))[None]


@pytest.mark.parametrize("patch", [14, 16, 32])
@pytest.mark.parametrize(("height", "width"), [(224, 224), (98, 210), (100, 75)])
def test_cells_lie_where_their_stride_says(patch, height, width):
    tokens = ramp(patch, height, width)
    sides = [count * patch for count in tokens.shape[2:]]
    for stride in (4, 7, 8, 16, 28, 32):
        found = resample(tokens, patch, stride)
        rows, columns = (-(-side // stride) for side in sides)
        assert found.shape == (1, 2, rows, columns), stride
        if stride > patch and stride % patch == 0:
            continue  # max-pooled: its last token stands for a cell
        for axis, side in enumerate(sides):
            centres = ((torch.arange(found.shape[2 + axis]) + 0.5) * stride).clamp(
                patch / 2, side - patch / 2
            )
            seen = found[0, axis].mean(1 - axis)
            inside = slice(1, -2) if stride > patch else slice(None)
            near = 2.0 if stride > patch else 1e-3  # antialiasing weighs whole tokens
            torch.testing.assert_close(seen[inside], centres[inside], atol=near, rtol=0)


def test_tokens_keep_their_type_and_at_their_own_stride_their_values():
    tokens = ramp(14, 56, 70).bfloat16()
    assert resample(tokens, 14, 32).dtype == torch.bfloat16
    assert torch.equal(resample(tokens, 14, 14), tokens)


def test_at_its_own_stride_a_view_of_the_tokens_becomes_a_map_in_the_usual_format():
    tokens = torch.rand(2, 12, 5).mT.unflatten(2, (3, 4))
    assert not tokens.is_contiguous() and resample(tokens, 16, 16).is_contiguous()


@pytest.mark.parametrize("stride", [4, 20, 32])
def test_resizing_is_bilinear_as_torch_does_it(stride):
    tokens = torch.rand(2, 3, 40, 20)  # their 560 x 280 pixels are whole cells
    size = (560 // stride, 280 // stride)
    if 280 % stride:
        tokens, size = torch.rand(2, 3, 16, 32), (224 // stride, 448 // stride)
    expected = F.interpolate(tokens, size, mode="bilinear", antialias=True)
    torch.testing.assert_close(resample(tokens, 14, stride), expected, atol=1e-5, rtol=0)


def test_divisors_and_multiples_are_plain_resampling():
    tokens = torch.rand(1, 2, 5, 7)
    expected = F.interpolate(tokens, scale_factor=4, mode="bilinear", align_corners=False)
    assert torch.equal(resample(tokens, 16, 4), expected)
    assert torch.equal(resample(tokens, 16, 32), F.max_pool2d(tokens, 2, ceil_mode=True))
