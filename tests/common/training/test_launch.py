"""Processes that are started together: they end together, and one line says why."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from waiting import wait_for

from common.errors import JobFailed, UserError
from common.training import launch as launching
from common.training.launch import default_processes, launch

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def script(folder: Path, text: str) -> list[str]:
    """A command; the script has `rank`, and no need of torch."""
    path = folder / "script.py"
    path.write_text("import os, signal, sys, time\nrank = int(os.environ['RANK'])\n" + textwrap.dedent(text))
    return [sys.executable, str(path)]


def test_each_prints_into_files_of_its_own(tmp_path):
    launch(
        script(tmp_path, "print(rank, os.environ['WORLD_SIZE'], flush=True); print('!', file=sys.stderr)"),
        2,
        tmp_path,
    )
    assert [(tmp_path / f"rank{number}.out").read_text() for number in range(2)] == ["0 2\n", "1 2\n"]
    assert (tmp_path / "rank1.err").read_text() == "!\n"


ENDS = {
    "ended with exit code 3; its last line: boom": """
        if rank:
            print("boom", file=sys.stderr)
            sys.exit(3)
        time.sleep(60)  # until it is ended
        """,
    "was killed by SIGKILL": """
        if rank:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.55)
        print("RuntimeError: Connection closed by peer", file=sys.stderr)
        sys.exit(1)
        """,
    "ended with exit code 4; its last line: IndexError": """
        if not rank:
            time.sleep(0.2)
            os.abort()  # as a library does that has waited in vain
        print("IndexError", file=sys.stderr)
        sys.exit(4)
        """,
    "was killed by SIGABRT; its last line: ValueError: second": """
        if rank:
            print("ValueError: second", file=sys.stderr)
            print("terminate called without an active exception", file=sys.stderr, flush=True)
            os.abort()
        time.sleep(60)
        """,
    "its last line: ValueError: first": """
        print("ValueError: first" if rank else "gloo: Connection reset", file=sys.stderr)
        sys.exit(1)
        """,
}


@pytest.mark.parametrize("said", ENDS)
def test_one_that_dies_ends_all_in_one_line(tmp_path, said):
    start = time.monotonic()
    with pytest.raises(JobFailed, match=r"^process 1 on [^ ]+ ") as caught:
        launch(script(tmp_path, ENDS[said]), 2, tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert str(tmp_path / "rank1.err") in str(caught.value)
    assert time.monotonic() - start < 40


@pytest.mark.parametrize("end", ["sys.exit(2)", "os.abort()"])
def test_what_the_user_can_mend_is_told_as_if_one_had_said_it(tmp_path, end):
    """Found by one process alone, and with a library's last words after it."""
    command = script(
        tmp_path,
        f"""
        if not rank:
            time.sleep(60)
        print("error: no such thing", file=sys.stderr)
        print("UserWarning: something leaked", file=sys.stderr, flush=True)
        {end}
        """,
    )
    with pytest.raises(UserError, match=r"^no such thing$"):
        launch(command, 2, tmp_path)


def test_the_environment_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    before = dict(os.environ)
    launch(script(tmp_path, "print(os.environ['OMP_NUM_THREADS'])"), 2, tmp_path)
    assert dict(os.environ) == before
    assert (tmp_path / "rank1.out").read_text() == f"{max(1, launching.cores() // 2)}\n"


def test_nohup_is_respected(tmp_path):
    command = script(tmp_path, "time.sleep(2); print('done')")
    starter = (
        "import os, signal\nfrom pathlib import Path\nfrom common.training.launch import launch\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        f"launch({command!r}, 2, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT)
    wait_for(lambda: (tmp_path / "rank1.out").exists())
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0 and (tmp_path / "rank1.out").read_text() == "done\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nobody_outlives_the_one_that_started_them(tmp_path, number):
    command = script(
        tmp_path,
        f"""
        from pathlib import Path
        from common.training import group
        group.adopt()
        Path({str(tmp_path)!r}, f"pid{{rank}}").write_text(str(os.getpid()))
        time.sleep(600)
        """,
    )
    starter = (
        "from pathlib import Path\nfrom common.training.launch import launch\n"
        f"launch({command!r}, 2, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stderr=subprocess.PIPE, cwd=ROOT)
    files = [tmp_path / f"pid{rank}" for rank in range(2)]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    process.send_signal(number)
    process.wait(60)
    wait_for(lambda: not any(alive(int(file.read_text())) for file in files))
    if number != signal.SIGKILL:
        assert process.stderr.read().decode().splitlines()[-1] == "KeyboardInterrupt"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # one that nobody has waited for yet is dead, too
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_as_many_processes_as_devices_if_they_share_the_batch_evenly(monkeypatch):
    monkeypatch.setattr(launching, "devices", lambda: 6)
    assert [default_processes(batch) for batch in (128, 12, 7, 4, 1)] == [4, 6, 1, 4, 1]
