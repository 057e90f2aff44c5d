"""SuperClass towers against open_clip's own class."""

import pytest
import torch
from small import clip_tokens, image, open_clip_model, same

from backbones import UserError, load_backbone


def test_superclass_pools_the_patches_and_drops_the_token_classifier(tmp_path):
    model = open_clip_model(pool_type="avg", head_width=64)
    state = {f"visual.{k}": v for k, v in model.visual.state_dict().items() if k != "proj"}
    state |= {"text_decoder.ln_mlp.weight": torch.ones(64), "text_decoder.ln_mlp.bias": torch.ones(64)}
    state |= {"text_decoder.text_projection.weight": torch.ones(50, 64), "cap_fq": torch.zeros(1, 50)}
    torch.save(state, tmp_path / "superclass.pt")
    vit = load_backbone(f"superclass:{tmp_path / 'superclass.pt'}")
    with torch.no_grad():
        same(vit(image()), *clip_tokens(model.visual, image()))
        x = image(48, 96)
        torch.testing.assert_close(vit(x).class_token, vit(x).patches.mean((2, 3)), atol=1e-5, rtol=0)
    assert "classifier over the text's tokens" in vit.key_report.dropped["cap_fq"]
    with pytest.raises(UserError, match="SuperClass weights, not openclip: name it superclass:"):
        load_backbone(f"openclip:{tmp_path / 'superclass.pt'}")
    torch.save({**state, "visual.proj": torch.ones(64, 32)}, tmp_path / "superclass.pt")
    with pytest.raises(UserError, match="which features are meant is unknown"):
        load_backbone(f"superclass:{tmp_path / 'superclass.pt'}")
