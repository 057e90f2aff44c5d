"""The processes that train together, as each of them sees it; a process alone is a group of one."""

from __future__ import annotations

import atexit
import os
import platform
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from common.errors import UserError, first_line
from common.machine import launched
from common.processes import end_with_parent

if TYPE_CHECKING:
    from torch import Tensor

_PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: the first may be measuring a test, or reading slow shards."""

LAUNCHER = "CATLIP_LAUNCHER"
"""Environment variable: the process number of who started this one to train with others."""

GATHERED = {"collect_device": "gpu"}
"""Settings of MMEngine's metrics: processes send each other what they found, whatever the device. (MMEngine's
``cpu`` would be pickled files in the working directory.)"""


def adopt() -> None:
    """Take in what the starter of this process has to say. To be called early; the rest is for `join`.

    A process started by `common.training.launch` ends with its starter: it has a session of its own, which
    the starter's signals do not reach. What Slurm says is told to torch where ``srun`` started this process
    as one of several; nothing is done for the one process of a batch script.
    """
    if launcher := os.environ.pop(LAUNCHER, None):  # not for whatever this process starts
        end_with_parent(int(launcher))
    if launched() or int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) < 2:
        return
    job = int(os.environ.get("SLURM_JOB_ID", 0))
    said = {
        "RANK": os.environ["SLURM_PROCID"],
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "WORLD_SIZE": os.environ["SLURM_STEP_NUM_TASKS"],
        "MASTER_ADDR": first_host(os.environ.get("SLURM_STEP_NODELIST", "localhost")),
        "MASTER_PORT": str(29_500 + job % 10_000),  # jobs that share a node do not meet
    }
    for name, value in said.items():
        os.environ.setdefault(name, value)


def first_host(nodes: str) -> str:
    """The first of Slurm's node list: ``gpu[03-05,9],cpu1`` -> ``gpu03``."""
    return re.sub(r"^([^,\[]*)(?:\[(\w+)[^\]]*\])?.*$", r"\1\2", nodes)


def join() -> None:
    """Meet the other processes, if this one was started with others. May be called again.

    Raises:
        UserError: there are fewer GPUs than processes, or the processes cannot meet.
    """
    import torch
    import torch.distributed as dist

    if not launched() or dist.is_initialized():
        return
    gpu = torch.cuda.is_available()
    if gpu:
        count, here = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        if here > count:
            raise UserError(f"{here} processes cannot share {count} GPUs: start at most one for each")
        # Slurm may show each process its own GPU alone
        torch.cuda.set_device(0 if count == 1 else int(os.environ["LOCAL_RANK"]))
    elif sys.platform == "linux" and os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the machine's own name need not resolve
    try:
        dist.init_process_group("nccl" if gpu else "gloo", timeout=_PATIENCE)
    except dist.DistNetworkError as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        taken = "EADDRINUSE" in str(error)
        remedy = "set MASTER_PORT to a free port" if taken else "start all of them, at one address and port"
        raise UserError(f"the processes cannot meet at {where} ({first_line(error)}): {remedy}") from None
    atexit.register(_leave)


def _leave() -> None:
    """Take leave of the others: threads that still listen to them would abort the process at its end."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0; the first one writes."""
    return int(os.environ["RANK"]) if launched() else 0


def is_first() -> bool:
    """Whether this is the process that writes, prints and displays."""
    return rank() == 0


def wait() -> None:
    """Until all processes are here."""
    if _several():
        import torch.distributed as dist

        dist.barrier()


def agree(what: str, value: str) -> None:
    """See that a value is the same for all processes.

    Args:
        what: what another value would mean, in words: ``other data``.
        value: short; a digest of what is long.

    Raises:
        UserError: in all processes, if it is not; the message names the first that differs.
    """
    for number, (host, other) in enumerate(gather((platform.node(), value))):
        if other != value:
            raise UserError(
                f"process {number} on {host} has {what} than process {rank()} on {platform.node()}: "
                "let all read the same files"
            )


def gather(value: Any) -> list[Any]:
    """The values of all processes (any picklable object), in the order of their ranks."""
    if not _several():
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def total(value: float) -> float:
    """The sum of a number over all processes."""
    if not _several():
        return value
    import torch
    import torch.distributed as dist

    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    summed = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(summed)
    return summed.item()


def mean(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Means over all processes, of scalars on one device."""
    if not _several() or not values:
        return values
    import torch
    import torch.distributed as dist

    stacked = torch.stack([value.detach().float() for value in values.values()])
    dist.all_reduce(stacked)
    return dict(zip(values, stacked / dist.get_world_size(), strict=True))


def _several() -> bool:
    dist = sys.modules.get("torch.distributed")  # a process alone need not import it
    return dist is not None and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
