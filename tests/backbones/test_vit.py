"""The backbone contract, asked of every kind of backbone there is."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from timm.layers import resample_abs_pos_embed

from backbones import UserError, load_backbone
from backbones.architectures import ARCHITECTURES
from backbones.catalog import backbone_digest, describe, list_backbones
from backbones.checkpoints import run
from backbones.vit import Preprocessing, SynsetClassifier, random_vit, tune_for_cpu

NAMES = ["random:vit_nano_conv16", "random:vit_mini_conv16", "random:vit_tiny_patch16_224"]


@pytest.fixture(params=NAMES, scope="module")
def vit(request):
    return load_backbone(request.param)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (70, 100)])
def test_tokens_have_the_promised_shapes_at_any_size(vit, size):
    with torch.no_grad():
        tokens = vit(torch.rand(2, 3, *size))
    grid = tuple(-(-side // 16) for side in size)
    assert tokens.class_token.shape == (2, vit.embed_dim)
    assert tokens.patches.shape == (2, vit.embed_dim, *grid)


def test_feature_maps_follow_their_strides(vit):
    with torch.no_grad():
        maps = vit.feature_maps(torch.rand(1, 3, 64, 96), strides=(4, 8, 16, 32))
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    with pytest.raises(ValueError, match="stride 0 is no number of pixels"):
        vit.feature_maps(torch.rand(1, 3, 64, 64), strides=(0,))


def test_layer_of_covers_every_parameter_and_rises_with_depth(vit):
    layers = [vit.layer_of(name) for name, _ in vit.named_parameters()]
    assert layers[0] == 0 and max(layers) == vit.depth + 1
    assert layers == sorted(layers)
    assert vit.layer_of("backbone.vit.trunk.blocks.1.mlp.fc1.weight") == 2
    with pytest.raises(KeyError):
        vit.layer_of("classifier.weight")


def test_gradients_reach_every_parameter(vit):
    vit.zero_grad()
    tokens = vit(torch.rand(2, 3, 64, 64))
    (tokens.class_token.square().sum() + tokens.patches.square().sum()).backward()
    missing = [name for name, p in vit.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == []


def test_class_token_and_patches_come_after_the_final_norm(vit):
    with torch.no_grad():
        image = torch.rand(1, 3, 64, 64)
        features = vit.trunk.forward_features(image)
        tokens = vit(image)
    torch.testing.assert_close(tokens.class_token, features[:, 0])
    torch.testing.assert_close(tokens.patches.flatten(2).transpose(1, 2), features[:, 1:])


def test_bf16_stays_close_to_float32(vit):
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        exact = vit(image).class_token
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = vit(image).class_token.float()
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.99


def test_positions_are_resized_as_timm_does():
    vit = random_vit(ARCHITECTURES["vit_nano_conv16"], seed=0).eval()
    resized = copy.deepcopy(vit)
    positions = resample_abs_pos_embed(vit.trunk.pos_embed, [2, 6], [4, 4], num_prefix_tokens=0)
    resized.trunk.pos_embed = torch.nn.Parameter(positions)
    resized.trunk.patch_embed.grid_size = (2, 6)
    image = torch.rand(1, 3, 32, 96)
    with torch.no_grad():
        torch.testing.assert_close(vit(image).patches, resized(image).patches)


def test_cpu_settings_do_not_change_the_result():
    vit = random_vit(ARCHITECTURES["vit_nano_conv16"], seed=0).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = vit(image)
        after = tune_for_cpu(vit)(image)
    torch.testing.assert_close(before.class_token, after.class_token, atol=1e-5, rtol=1e-5)


def test_random_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = load_backbone("random:vit_nano_conv16", seed=3)
    torch.manual_seed(2)
    again = load_backbone("random:vit_nano_conv16", seed=3)
    other = load_backbone("random:vit_nano_conv16", seed=4)
    assert torch.equal(first.trunk.pos_embed, again.trunk.pos_embed)
    assert not torch.equal(first.trunk.pos_embed, other.trunk.pos_embed)


@pytest.fixture
def folder(tmp_path):
    vit = random_vit(replace(ARCHITECTURES["vit_nano_conv16"], image_size=96), seed=5)
    vit.synset_classifier = SynsetClassifier(torch.randn(2, 32), torch.randn(2), (2084071, 2121620))
    (tmp_path / "vocabulary.csv").write_text("synset,name,count\n2084071,dog.n.01,9\n2121620,cat.n.01,4\n")
    shape = replace(ARCHITECTURES["vit_nano_conv16"], image_size=96).to_dict()
    run.save(tmp_path, vit, {"architecture": shape, "objective": "catlip", "cost": {"seconds": 1.0}})
    return tmp_path, vit.eval()


def test_checkpoint_folder_survives_save_and_load(folder):
    path, vit = folder
    loaded = load_backbone(f"run:{path}")
    image = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(loaded(image).class_token, vit(image).class_token)
    assert loaded.preprocessing == vit.preprocessing
    assert loaded.synset_classifier.synsets == (2084071, 2121620)
    assert torch.equal(loaded.synset_classifier.weight, vit.synset_classifier.weight)
    assert describe(f"run:{path}")["objective"] == "catlip"


def test_digest_follows_the_weights(folder):
    path, _ = folder
    before = backbone_digest(f"run:{path}")
    weights = path / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert backbone_digest(f"run:{path}") != before


def test_a_folder_without_resize_mode_keeps_the_shape_of_images(folder):
    path, _ = folder
    values = json.loads((path / "backbone.json").read_text())
    assert values["preprocessing"].pop("resize_mode") == "shortest"
    (path / "backbone.json").write_text(json.dumps(values))
    assert load_backbone(f"run:{path}").preprocessing.resize_mode == "shortest"
    values["preprocessing"]["resize_mode"] = "stretch"
    (path / "backbone.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match="resize_mode is shortest or squash, not 'stretch'"):
        load_backbone(f"run:{path}")
    assert Preprocessing.from_dict(Preprocessing(8, resize_mode="squash").to_dict()).resize_mode == "squash"


def _truncate(path):
    weights = path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _wrong_shape(path):
    text = json.loads((path / "backbone.json").read_text())
    text["architecture"]["embed_dim"] = 48
    (path / "backbone.json").write_text(json.dumps(text))


def _newer(path):
    text = json.loads((path / "backbone.json").read_text())
    (path / "backbone.json").write_text(json.dumps(text | {"format": 99}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncate, "weights.safetensors cannot be read"),
        (_wrong_shape, "does not fit backbone.json"),
        (_newer, "newer than"),
        (lambda path: (path / "backbone.json").write_text("{"), "backbone.json cannot be read"),
        (lambda path: (path / "backbone.json").unlink(), "pre-train it first"),
    ],
)
def test_damaged_folders_are_refused_in_one_line(folder, damage, message):
    path, _ = folder
    damage(path)
    with pytest.raises(UserError, match=message) as caught:
        load_backbone(f"run:{path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_mini_conv16", "a name is SOURCE:REST"),
        ("rnadom:vit_mini_conv16", "did you mean random:"),
        ("random:vit_mnii_conv16", "did you mean vit_mini_conv16"),
        ("random:resnet50", "plain VisionTransformer|unknown architecture"),
        ("timm:vit_no_such_model", "timm has no model"),
        ("timm:vit_tiny_patch16_224:/no/such/file", "does not exist"),
        ("run:/no/such/folder", "pre-train it first"),
    ],
)
def test_unknown_names_say_what_would_be_right(name, message):
    with pytest.raises(UserError, match=message) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value)


def test_timm_weights_from_a_local_file(tmp_path):
    import timm
    from safetensors.torch import save_file

    model = timm.create_model("vit_tiny_patch16_224", num_classes=0).eval()
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    vit = load_backbone(f"timm:vit_tiny_patch16_224:{tmp_path / 'tiny.safetensors'}")
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(vit(image).class_token, model(image), atol=1e-5, rtol=1e-5)
    assert vit.preprocessing.mean == tuple(model.pretrained_cfg["mean"])


def test_catalogue_matches_patterns():
    names = [entry.name for entry in list_backbones("vit_*_conv16")]
    assert "random:vit_base_conv16" in names
    assert all("conv16" in name for name in names)
