"""A wrong source is answered with the right one."""

import pytest
import torch
from small import FILES, open_clip_model, refused, timm_model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    torch.save(open_clip_model().state_dict(), folder / "openclip.pt")
    torch.save(timm_model().state_dict(), folder / "timm.pt")
    torch.save({"patch_emb.0.block.conv.weight": torch.ones(1)}, folder / "corenet.pt")
    torch.save({"vit.embeddings.patch_embeddings.projection.weight": torch.ones(1)}, folder / "hf.pt")
    return folder


@pytest.mark.parametrize("written", ["openclip", "timm", "corenet", "hf"])
@pytest.mark.parametrize("read", FILES)
def test_the_wrong_source_is_told_the_right_one(written, read, files):
    if read.partition(":")[0] == written or (written, read) == ("openclip", "openai"):
        return
    words = {
        "openclip": "OpenCLIP or OpenAI CLIP",
        "corenet": "CoreNet",
        "hf": "transformers",
        "timm": "timm",
    }
    message = refused(f"{read}:{files / written}.pt", f"holds {words[written]} weights, not ")
    assert f"name it {written}:" in message
