"""Text towers, of released CLIPs and of our own folders, against the classes they come from."""

import json

import pytest
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file
from small import TEXT, VISION, image, open_clip_model, randomise

from backbones import UserError, load_backbone
from backbones.catalog import load_text
from backbones.text import save_text, text_transformer

TOKENS = torch.randint(1, 50, (3, 8), generator=torch.Generator().manual_seed(0))


def similarities(name, model, tokens=TOKENS):
    """Ours and the model's own, of pictures and captions."""
    tower, vit = load_text(name), load_backbone(name)
    with torch.no_grad():
        ours = tower.images(vit(image()).class_token) @ F.normalize(tower.encoder(tokens), dim=-1).T
        own = (
            F.normalize(model.encode_image(image()), dim=-1)
            @ F.normalize(model.encode_text(tokens), dim=-1).T
        )
    return ours, own, tower.logit_scale


@pytest.mark.parametrize("quick", [False, True])
def test_openclip_compares_as_the_model_does(quick, tmp_path):
    model = open_clip_model(quick_gelu=quick)
    config = {"embed_dim": 32, "quick_gelu": quick, "text_cfg": TEXT, "vision_cfg": VISION}
    content = {"model_cfg": config, "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content))
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    ours, own, scale = similarities(f"openclip:{tmp_path}", model)
    torch.testing.assert_close(ours, own, atol=1e-5, rtol=0)
    assert scale == pytest.approx(float(model.logit_scale.detach().exp()), rel=1e-5)
    config["text_cfg"] = {**TEXT, "layers": 2}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="its text tower does not fit OpenCLIP's"):
        load_text(f"openclip:{tmp_path}")


def test_openais_is_read_off_its_tensors(tmp_path):
    from open_clip.model import CLIP

    vision = {"image_size": 64, "layers": 2, "width": 64, "head_width": 64, "patch_size": 16}
    model = randomise(CLIP(32, vision, {**TEXT, "width": 64, "heads": 1}, quick_gelu=True))
    torch.save(model.state_dict(), tmp_path / "ViT.pt")
    ours, own, _ = similarities(f"openai:{tmp_path / 'ViT.pt'}", model)
    torch.testing.assert_close(ours, own, atol=1e-5, rtol=0)
    torch.save(model.visual.state_dict(), tmp_path / "image.pt")
    with pytest.raises(UserError, match=r"image\.pt has no text tower"):
        load_text(f"openai:{tmp_path / 'image.pt'}")


def test_transformers_compares_as_the_model_does(tmp_path):
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"max_position_embeddings": 8, "vocab_size": 50, "eos_token_id": 49}
    vision = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision |= {"image_size": 64, "patch_size": 16}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision)
    model = randomise(transformers.CLIPModel(config))
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"has no tokenizer\.json"):
        load_text(f"hf:{tmp_path}")
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "b</w>", "a", "b"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    tower, vit = load_text(f"hf:{tmp_path}"), load_backbone(f"hf:{tmp_path}")
    tokens = tower.tokenize(["a b", "b"])
    assert tokens.shape == (2, 8) and tokens[0, 1:3].tolist() == [2, 3]
    with torch.no_grad():
        own = model(input_ids=tokens, pixel_values=image()).logits_per_image / model.logit_scale.exp()
        ours = tower.images(vit(image()).class_token) @ tower.texts(["a b", "b"]).T
    torch.testing.assert_close(ours, own, atol=1e-4, rtol=0)


@pytest.fixture
def kept(tmp_path):
    """A folder with a text tower alone, and what was written into it."""
    shape = {"context_length": 77, "width": 32, "heads": 2, "layers": 1, "embed_dim": 16}
    text = randomise(text_transformer(**shape))
    state = {f"text.{key}": value for key, value in text.state_dict().items()}
    state |= {"image_projection": torch.randn(64, 16), "logit_scale": torch.tensor(3.0)}
    save_text(tmp_path, shape, state)
    return tmp_path, text, state


def test_ours_is_what_was_trained(kept):
    folder, text, state = kept
    tower = load_text(f"run:{folder}")
    captions = ["a dog", "two cats on a mat"]
    with torch.no_grad():
        expected = F.normalize(text(tower.tokenize(captions)), dim=-1)
    torch.testing.assert_close(tower.texts(captions), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(tower.texts(captions, batch_size=1), expected, atol=1e-6, rtol=0)
    tokens = torch.randn(2, 64)
    torch.testing.assert_close(tower.images(tokens), F.normalize(tokens @ state["image_projection"], dim=-1))
    assert tower.logit_scale == pytest.approx(20.0855, abs=1e-3)
    assert json.loads((folder / "text.json").read_text())["temperature"] == pytest.approx(0.0498, abs=1e-4)


def test_what_does_not_fit_is_said(kept):
    folder, _, _ = kept
    state = load_file(folder / "text.safetensors")
    state.pop("image_projection")
    save_file(state, folder / "text.safetensors")
    with pytest.raises(UserError, match="cannot be used"):
        load_text(f"run:{folder}")
    (folder / "text.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be used"):
        load_text(f"run:{folder}")
    (folder / "text.safetensors").unlink()
    with pytest.raises(UserError, match="has no text tower"):
        load_text(f"run:{folder}")


def test_sources_without_text_say_so():
    with pytest.raises(UserError, match="random:vit_nano_conv16 has no text tower"):
        load_text("random:vit_nano_conv16")
