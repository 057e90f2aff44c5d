"""What is known of the machine before torch is."""

from common.machine import world_size


def test_processes_and_batch_are_those_of_the_whole_run(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert world_size() == 1  # some other program's variable
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert world_size() == 4
