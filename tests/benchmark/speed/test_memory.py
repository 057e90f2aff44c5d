"""Memory of a step, and the largest batch that a budget holds."""

import pytest
import torch
from gpu_steps import MINIATURE

from benchmark.speed.contenders import contender_of, noise, reading_of
from benchmark.speed.memory import allocated_by, largest_batch, step_memory

CPU = torch.device("cpu")
MEGA = 1 << 20


def test_the_most_that_is_held_at_once_counts():
    def two_after_one():
        first = torch.empty(4 * MEGA, dtype=torch.uint8)
        del first
        second, third = (torch.empty(3 * MEGA, dtype=torch.uint8) for _ in range(2))
        del second, third

    assert allocated_by(two_after_one) == pytest.approx(6 * MEGA, rel=0.01)


def test_a_step_holds_its_state_and_more_for_a_larger_batch(one_thread):
    contender, _ = contender_of("catlip", MINIATURE, CPU, "float32", 4)
    reading = reading_of("catlip", MINIATURE)
    held = []
    for size in (8, 16, 32):
        batch = noise(reading, size, 32)
        contender.train([batch])
        held.append(step_memory(contender, batch, CPU))
    assert contender.state_bytes() < held[0] < held[1] < held[2]
    assert held[2] - held[1] == pytest.approx(2 * (held[1] - held[0]), rel=0.1)  # along a line


@pytest.mark.parametrize("square", [0.0, 1e-4])
@pytest.mark.parametrize("budget", [3_000, 100_000, 10_000_000])
def test_the_largest_batch_fits_and_is_close_to_the_most(square, budget):
    asked = []

    def bytes_of(size):
        asked.append(size)
        needed = 500 + 100 * size + square * size**2
        return int(needed) if needed <= budget else None

    size, held = largest_batch(bytes_of, 8, budget, share=0.9)
    assert held == bytes_of(size) and held <= 0.9 * budget
    assert 500 + 100 * (1.15 * size + 8) + square * (1.15 * size + 8) ** 2 > 0.9 * budget
    assert len(asked) <= 10


def test_no_more_images_than_asked_for():
    assert largest_batch(lambda size: size, 8, 1 << 40, most=100)[0] <= 100


def test_a_batch_that_does_not_fit_at_all_is_said():
    with pytest.raises(MemoryError, match="batch of 8"):
        largest_batch(lambda size: None, 8, 1 << 30)
