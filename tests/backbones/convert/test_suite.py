"""The suite's own folder holds every backbone."""

import json

import pytest
import torch
from safetensors.torch import save_file
from small import image, timm_model

from backbones import load_backbone
from backbones.card import Card
from backbones.catalog import describe
from backbones.checkpoints import run
from backbones.convert import convert
from backbones.vit import SynsetClassifier
from benchmark.cli import main


@pytest.fixture
def source(tmp_path):
    """A folder of transformers: the source whose computation is furthest from the suite's own."""
    model = timm_model(class_token=False, global_pool="avg", fc_norm=False)
    state, out = model.state_dict(), {}
    names = {"norm1": "layer_norm1", "norm2": "layer_norm2", "attn.proj": "self_attn.out_proj"}
    names |= {"mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
    for part in ("weight", "bias"):
        out[f"embeddings.patch_embedding.{part}"] = state[f"patch_embed.proj.{part}"]
        out[f"post_layernorm.{part}"] = state[f"norm.{part}"]
        for n in range(2):
            for old, new in names.items():
                out[f"encoder.layers.{n}.{new}.{part}"] = state[f"blocks.{n}.{old}.{part}"]
            for letter, piece in zip("qkv", state[f"blocks.{n}.attn.qkv.{part}"].chunk(3), strict=True):
                out[f"encoder.layers.{n}.self_attn.{letter}_proj.{part}"] = piece.clone()
    out["embeddings.position_embedding.weight"] = state["pos_embed"][0]
    folder = tmp_path / "siglip"
    folder.mkdir()
    save_file(out, folder / "model.safetensors")
    config = {"model_type": "siglip_vision_model", "num_attention_heads": 4, "hidden_act": "gelu"}
    (folder / "config.json").write_text(json.dumps(config))
    return f"hf:{folder}"


def test_the_suites_folder_computes_the_same(source, tmp_path, capsys):
    assert main(["convert", source, str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == f"run:{tmp_path / 'out'}"
    before, after = load_backbone(source), load_backbone(f"run:{tmp_path / 'out'}")
    with torch.no_grad():
        for size in ((64, 64), (48, 96)):
            assert torch.equal(before(image(*size)).class_token, after(image(*size)).class_token)
            assert torch.equal(before(image(*size)).patches, after(image(*size)).patches)
    assert after.preprocessing == before.preprocessing
    assert describe(f"run:{tmp_path / 'out'}").converted_from == source
    assert not list(tmp_path.glob("*.partial"))


def test_a_synset_classifier_and_its_vocabulary_go_along(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    vit = load_backbone("random:vit_nano_conv16", seed=1)
    vit.synset_classifier = SynsetClassifier(torch.randn(2, 32), torch.randn(2), (5, 6))
    (folder / "vocabulary.csv").write_text("synset,name,count\n5,a.n.01,2\n6,b.n.01,1\n")
    run.save(folder, vit, Card(objective="catlip"))
    written, _ = convert(f"run:{folder}", tmp_path / "second")
    again = load_backbone(written)
    assert again.synset_classifier.synsets == (5, 6)
    assert torch.equal(again.synset_classifier.weight, vit.synset_classifier.weight)
    assert describe(written).objective == "catlip"
