"""TorchScript archives that want more than to be read; real ones are read in test_openai.py."""

import pickle
import zipfile

import torch
from small import refused


def test_a_pickle_in_an_openai_archive_cannot_reach_a_file_outside_its_data(tmp_path):
    class Outside:
        def __reduce__(self):
            return (torch.FloatStorage, ())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", "no class", "../../etc/passwd", "cpu", 4) if value == "tensor" else None

    path = tmp_path / "archive.pt"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as file:
            Pickler(file, protocol=2).dump(["tensor"])
        archive.writestr("archive/constants.pkl", b"")
    refused(f"openai:{path}", "something that is no tensor")


def test_what_an_archive_may_name_is_inert(tmp_path):
    """Its modules can be made and hold anything, but not be called."""
    path = tmp_path / "archive.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c__torch__\nAnything\n)R)R.")
        archive.writestr("archive/constants.pkl", b"")
    refused(f"openai:{path}", "is not callable")
