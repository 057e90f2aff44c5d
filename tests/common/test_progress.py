"""Progress in words, and on its way through a file."""

import json

from common.progress import Progress, ProgressFile, clock, read_progress


def test_progress_passes_through_its_file(tmp_path):
    path = tmp_path / "progress.json"
    report = ProgressFile(path, interval=3600)
    report("train", 1, 4, loss=0.5)
    report("train", 2, 4, loss=float("nan"))  # too soon to be written
    assert read_progress(path).done == 1
    report("train", 4, 4, loss=float("nan"))  # the end always is
    state = read_progress(path)
    assert (state.done, state.loss) == (4, None)
    report("test", 0, 2)
    assert read_progress(path).stage == "test"
    path.unlink()
    assert read_progress(path) is None
    path.write_text(json.dumps({"done": 5, "total": 9, "seconds_left": 61.0, "something_new": 1}))
    assert read_progress(path).text() == "training 5/9, 1:01 left"
    path.write_text("[]")
    assert read_progress(path) is None


def test_what_a_job_knows_of_its_pace_passes_through_the_file(tmp_path):
    path = tmp_path / "progress.json"
    ProgressFile(path)(
        "training", 3, 10, 1.5, images_per_second=200.0, seconds_left=42.0, waiting_for_data=0.31
    )
    assert read_progress(path).text() == (
        "training 3/10, loss 1.500, 200 images/s, 0:42 left, "
        "31% of the time waiting for data: raise num_workers"
    )


def test_progress_texts():
    assert (
        Progress("train", 3, 10, 1.5, 200.0, 42).text() == "train 3/10, loss 1.500, 200 images/s, 0:42 left"
    )
    assert Progress("starting").text() == "starting"
    assert Progress(waiting_for_data=0.2).text() == "training"
    assert [clock(s) for s in (-1, 59.7, 3600 * 2 + 61)] == ["0:00", "1:00", "2:01:01"]
