"""OpenAI's archives against open_clip's own class."""

import pytest
import torch
from small import clip_tokens, image, open_clip_model, same

from backbones import UserError, empty_backbone, load_backbone


class Archive(torch.nn.Module):
    """As OpenAI traced it: the model's forward pass, its weights in half precision, three numbers."""

    def __init__(self, model):
        super().__init__()
        for name, child in model.named_children():
            setattr(self, name, child)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            setattr(self, name, getattr(model, name))
        for name, value in (("input_resolution", 64), ("context_length", 8), ("vocab_size", 50)):
            self.register_buffer(name, torch.tensor(value))

    def forward(self, images):
        return self.visual(images)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    model = open_clip_model(quick_gelu=True, head_width=64)
    path = tmp_path_factory.mktemp("openai") / "ViT.pt"
    traced = torch.jit.trace(Archive(model), image(), check_trace=False)
    torch.jit.save(traced.half(), path)
    return path, model.half().float()


def test_openai_archive_is_read_without_running_its_code(archive, monkeypatch):
    path, model = archive
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("the archive's code was compiled"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load is not for archives"))
    vit = load_backbone(f"openai:{path}")
    with torch.no_grad():
        same(vit(image()), *clip_tokens(model.visual, image()))
        assert vit(image(48, 96)).patches.shape == (2, 64, 3, 6)
    assert vit.key_report.dropped["vocab_size"].startswith("a number")
    assert vit.preprocessing.interpolation == "bicubic" and vit.preprocessing.size == 64


def test_openai_state_dict_gives_the_same(archive, tmp_path):
    path, model = archive
    torch.save(model.state_dict(), tmp_path / "state.pt")
    with torch.no_grad():
        expected = load_backbone(f"openai:{path}")(image()).class_token
        assert torch.equal(load_backbone(f"openai:{tmp_path / 'state.pt'}")(image()).class_token, expected)


def test_an_archive_under_another_source_is_told_its_name(archive):
    with pytest.raises(UserError, match="TorchScript archive: name it openai:"):
        load_backbone(f"openclip:{archive[0]}")


def test_without_weights_nothing_of_the_archive_but_shapes_is_read(archive):
    path, model = archive
    empty = empty_backbone(f"openai:{path}")
    assert (empty.embed_dim, empty.depth) == (model.visual.transformer.width, 2)
    assert all(parameter.is_meta for parameter in empty.parameters())
