"""Folders of transformers, which is no dependency here.

The source's model is therefore timm's or open_clip's, built as the released weights of the family are, and
its state dict is written under transformers' names by the maps below:

    ViT      blocks.N.{norm1,norm2,attn.qkv split in three,attn.proj,mlp.fc1,mlp.fc2}
             -> encoder.layer.N.{layernorm_before,layernorm_after,attention.attention.{query,key,value},
                attention.output.dense,intermediate.dense,output.dense}; norm -> layernorm
    DINOv2   the same attention, with norm1, norm2, mlp.*, ls1.gamma -> layer_scale1.lambda1
    CLIP     resblocks.N.{ln_1,ln_2,attn.in_proj split in three,attn.out_proj,mlp.c_fc,mlp.c_proj}
             -> encoder.layers.N.{layer_norm1,layer_norm2,self_attn.{q,k,v}_proj,self_attn.out_proj,
                mlp.fc1,mlp.fc2}
    SigLIP   CLIP's names; attn_pool.{latent,q+kv,proj,norm,mlp} -> head.{probe,attention,layernorm,mlp}
"""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from small import image, open_clip_model, same, timm_model

from backbones import UserError, load_backbone
from backbones.convert import convert


def split(state, source, targets):
    """One tensor of queries, keys and values as three."""
    parts = {}
    for part in ("weight", "bias"):
        for target, piece in zip(targets, state[f"{source}{part}"].chunk(3), strict=True):
            parts[f"{target}.{part}"] = piece.clone()
    return parts


def moved(state, pairs):
    return {f"{new}.{part}": state[f"{old}.{part}"] for old, new in pairs for part in ("weight", "bias")}


def vit_like(model, family):
    state, out = model.state_dict(), {}
    dino = family.startswith("dinov2")
    out["embeddings.cls_token"] = state["cls_token"]
    out["embeddings.position_embeddings"] = state["pos_embed"]
    out |= moved(
        state, [("patch_embed.proj", "embeddings.patch_embeddings.projection"), ("norm", "layernorm")]
    )
    for n in range(len(model.blocks)):
        a, b = f"blocks.{n}", f"encoder.layer.{n}"
        names = [f"{b}.attention.attention.{word}" for word in ("query", "key", "value")]
        out |= split(state, f"{a}.attn.qkv.", names)
        out |= moved(state, [(f"{a}.attn.proj", f"{b}.attention.output.dense")])
        if dino:
            out |= moved(state, [(f"{a}.norm1", f"{b}.norm1"), (f"{a}.norm2", f"{b}.norm2")])
            ends = ("weights_in", "weights_out") if family.endswith("swiglu") else ("fc1", "fc2")
            out |= moved(state, [(f"{a}.mlp.fc{i}", f"{b}.mlp.{ends[i - 1]}") for i in (1, 2)])
            for i in (1, 2):
                out[f"{b}.layer_scale{i}.lambda1"] = state[f"{a}.ls{i}.gamma"]
        else:
            out |= moved(
                state, [(f"{a}.norm1", f"{b}.layernorm_before"), (f"{a}.norm2", f"{b}.layernorm_after")]
            )
            out |= moved(
                state, [(f"{a}.mlp.fc1", f"{b}.intermediate.dense"), (f"{a}.mlp.fc2", f"{b}.output.dense")]
            )
    return out


def clip_like(state, blocks, names):
    out = {}
    for n in range(2):
        a, b = f"{blocks}.{n}", f"vision_model.encoder.layers.{n}"
        out |= split(state, f"{a}.{names['qkv']}", [f"{b}.self_attn.{letter}_proj" for letter in "qkv"])
        pairs = [("norm1", "layer_norm1"), ("norm2", "layer_norm2"), ("proj", "self_attn.out_proj")]
        pairs += [("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")]
        out |= moved(state, [(f"{a}.{names[old]}", f"{b}.{new}") for old, new in pairs])
    return out


def write(folder, state, **config):
    (folder / "config.json").write_text(json.dumps(config))
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    return f"hf:{folder}"


def resized_as_transformers(positions, prefix, size, antialias=False):
    grid = positions[:, prefix:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size, mode="bicubic", align_corners=False, antialias=antialias)
    return torch.cat([positions[:, :prefix], grid.flatten(2).mT], 1)


def check(vit, model, prefix=1, pos_prefix=1, antialias=False):
    """Tokens at the native size and, with the positions resized as transformers resizes them, at 48 x 96."""
    native = model.pos_embed.data
    for height, width in ((64, 64), (48, 96)):
        if height != 64:
            model.pos_embed.data = resized_as_transformers(native, pos_prefix, (3, 6), antialias)
            model.patch_embed.grid_size = (3, 6)
        with torch.no_grad():
            features = model.forward_features(image(height, width))
            pooled = model.forward_head(features, pre_logits=True)
            same(vit(image(height, width)), pooled, features[:, prefix:])


def check_written_again(name, tmp_path, changed=()):
    """Converted to its own format, every tensor of the ViT comes back under its own name, bit for bit."""
    convert(name, tmp_path / "again", "hf")
    before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "again"))
    used = [key for key in load_backbone(name).key_report.used if key not in changed]
    assert used
    for key in used:
        assert torch.equal(before[key], after[key.removeprefix("vit.")]), key
    told, said = (json.loads((f / "config.json").read_text()) for f in (tmp_path, tmp_path / "again"))
    told = {**told.pop("vision_config", {}), **told, "model_type": said["model_type"]}
    assert {key: said[key] for key in told} == told


def test_vit(tmp_path):
    from functools import partial

    model = timm_model(norm_layer=partial(torch.nn.LayerNorm, eps=1e-12))
    state = {f"vit.{key}": value for key, value in vit_like(model, "vit").items()}
    state |= {"classifier.weight": torch.ones(5, 64), "classifier.bias": torch.ones(5)}
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(
            {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "size": 80, "crop_size": 64, "resample": 3}
        )
    )
    name = write(tmp_path, state, model_type="vit", num_attention_heads=4)
    vit = load_backbone(name)
    check(vit, model)
    check_written_again(name, tmp_path)
    shown = vit.preprocessing
    assert (shown.mean[0], shown.std[0], shown.size, shown.crop_pct) == (0.1, 0.2, 64, 0.8)
    assert shown.interpolation == "bicubic"
    assert vit.key_report.dropped["classifier.bias"] == "head of another task"


def test_dinov2(tmp_path):
    model = timm_model(init_values=0.1)
    state = {**vit_like(model, "dinov2"), "embeddings.mask_token": torch.zeros(1, 64)}
    name = write(tmp_path, state, model_type="dinov2", num_attention_heads=4)
    vit = load_backbone(name)
    check(vit, model)
    check_written_again(name, tmp_path)
    assert vit.preprocessing.mean == (0.485, 0.456, 0.406)
    assert "mask token" in vit.key_report.dropped["embeddings.mask_token"]


def test_dinov2_with_gated_mlps(tmp_path):
    from timm.layers import SwiGLUPacked

    model = timm_model(init_values=0.1, mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU)
    state = vit_like(model, "dinov2_swiglu")
    name = write(tmp_path, state, model_type="dinov2", num_attention_heads=4, use_swiglu_ffn=True)
    check(load_backbone(name), model)
    check_written_again(name, tmp_path)


def test_dinov2_with_registers(tmp_path):
    model = timm_model(init_values=0.1, reg_tokens=4, no_embed_class=True)
    state = vit_like(model, "dinov2")
    # transformers keeps the class token's position beside it; timm has added the two
    own = torch.full((1, 1, 64), 0.3)
    state["embeddings.cls_token"] = state["embeddings.cls_token"] - own
    state["embeddings.position_embeddings"] = torch.cat([own, model.pos_embed.detach()], 1)
    state["embeddings.register_tokens"] = model.reg_token.detach()
    name = write(tmp_path, state, model_type="dinov2_with_registers", num_attention_heads=4)
    check(load_backbone(name), model, prefix=5, pos_prefix=0, antialias=True)
    check_written_again(name, tmp_path, ["embeddings.cls_token", "embeddings.position_embeddings"])


def test_clip(tmp_path):
    model = open_clip_model(quick_gelu=True)
    source = model.visual.state_dict()
    names = {"qkv": "attn.in_proj_", "norm1": "ln_1", "norm2": "ln_2", "proj": "attn.out_proj"}
    names |= {"fc1": "mlp.c_fc", "fc2": "mlp.c_proj"}
    state = clip_like(source, "transformer.resblocks", names)
    state |= moved(
        source, [("ln_pre", "vision_model.pre_layrnorm"), ("ln_post", "vision_model.post_layernorm")]
    )
    state["vision_model.embeddings.class_embedding"] = source["class_embedding"]
    state["vision_model.embeddings.patch_embedding.weight"] = source["conv1.weight"]
    state["vision_model.embeddings.position_embedding.weight"] = source["positional_embedding"]
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    state["visual_projection.weight"] = source["proj"].T
    state["text_model.final_layer_norm.weight"] = torch.ones(32)
    name = write(tmp_path, state, model_type="clip", vision_config={"num_attention_heads": 2})
    vit = load_backbone(name)
    check_written_again(name, tmp_path)
    visual = model.visual
    native = visual.positional_embedding.data
    with torch.no_grad():
        for height, width in ((64, 64), (48, 96)):
            if height != 64:
                resized = resized_as_transformers(native[None], 1, (3, 6))[0]
                visual.positional_embedding.data = resized
            x = visual.ln_post(visual.transformer(visual._embeds(image(height, width))))
            same(vit(image(height, width)), x[:, 0], x[:, 1:])
        logits = vit(image()).class_token @ source["proj"]
        visual.positional_embedding.data = native
        torch.testing.assert_close(logits, visual(image()), atol=1e-4, rtol=0)
    assert "text tower" in vit.key_report.dropped["visual_projection.weight"]


def test_siglip(tmp_path):
    model = timm_model(class_token=False, global_pool="map", act_layer="gelu_tanh")
    source = model.state_dict()
    names = {"qkv": "attn.qkv.", "norm1": "norm1", "norm2": "norm2", "proj": "attn.proj"}
    names |= {"fc1": "mlp.fc1", "fc2": "mlp.fc2"}
    state = clip_like(source, "blocks", names)
    pairs = [("patch_embed.proj", "embeddings.patch_embedding"), ("norm", "post_layernorm")]
    pairs += [("attn_pool.proj", "head.attention.out_proj"), ("attn_pool.norm", "head.layernorm")]
    pairs += [("attn_pool.mlp.fc1", "head.mlp.fc1"), ("attn_pool.mlp.fc2", "head.mlp.fc2")]
    state |= moved(source, [(old, f"vision_model.{new}") for old, new in pairs])
    state["vision_model.embeddings.position_embedding.weight"] = source["pos_embed"][0]
    state["vision_model.head.probe"] = source["attn_pool.latent"]
    for part in ("weight", "bias"):
        joined = torch.cat([source[f"attn_pool.q.{part}"], source[f"attn_pool.kv.{part}"]])
        state[f"vision_model.head.attention.in_proj_{part}"] = joined
    name = write(tmp_path, state, model_type="siglip_vision_model", num_attention_heads=4)
    vit = load_backbone(name)
    check(vit, model, prefix=0, pos_prefix=0)
    check_written_again(name, tmp_path)
    assert vit.preprocessing.resize_mode == "squash"
    assert vit.preprocessing.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json does not exist"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "bert"}'),
            "'bert' model, which is not supp",
        ),
        (lambda f: (f / "config.json").write_text("{"), "not transformers' description"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: save_file({"a": torch.ones(1)}, f / "model.safetensors"), "holds no hf ViT"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "vit", "hidden_act": "relu"}'),
            "hidden_act 'relu'",
        ),
    ],
)
def test_folders_that_do_not_fit_are_refused(change, message, tmp_path):
    name = write(tmp_path, vit_like(timm_model(), "vit"), model_type="vit", num_attention_heads=4)
    change(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load_backbone(name)
    assert "\n" not in str(caught.value)


def test_a_missing_block_tensor_is_an_error(tmp_path):
    state = vit_like(timm_model(), "vit")
    del state["encoder.layer.1.attention.attention.key.bias"]
    with pytest.raises(UserError, match=r"lacks|too many"):
        load_backbone(write(tmp_path, state, model_type="vit", num_attention_heads=4))
