"""Layer-wise learning-rate decay (arXiv 2106.08254) for every framework the suite trains with."""

from __future__ import annotations

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from backbones.vit import ViT

_UNDECAYED = ("pos_embed", "cls_token", "reg_token")


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimConstructor(DefaultOptimWrapperConstructor):
    """Learning rates that fall with the depth of a layer, and weight decay where it belongs.

    A parameter of a `ViT` in layer l of a backbone with n blocks (`ViT.layer_of`: 0 for the embeddings)
    learns at ``lr * layer_decay ** (n + 1 - l)``, the final norm at the rate of the last block (arXiv
    2404.15653, released code); everything outside learns at ``lr``. Norms and biases are not decayed, nor is
    what `undecayed` names.

        optim_wrapper = dict(
            type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.1),
            constructor='LayerDecayOptimConstructor', paramwise_cfg=dict(layer_decay=0.7))

    Args:
        optim_wrapper_cfg: config of the optimiser wrapper; its optimiser must set `lr`.
        paramwise_cfg: ``layer_decay`` in (0, 1], default 1: no decay of the learning rate. ``undecayed``:
            parameters and modules, as ``pos_embed`` or ``neck.scales``; default: positions and tokens.

    Raises:
        ValueError: another option, a decay out of range, no `lr`, or a decay below 1 for a model without ViT.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        # An empty paramwise_cfg would make MMEngine skip add_params, and decay norms and biases.
        defaults = {"layer_decay": 1.0, "undecayed": _UNDECAYED}
        super().__init__(optim_wrapper_cfg, {**defaults, **(paramwise_cfg or {})})

    def _validate_cfg(self) -> None:
        super()._validate_cfg()
        if unknown := set(self.paramwise_cfg) - {"layer_decay", "undecayed"}:
            raise ValueError(
                f"LayerDecayOptimConstructor has no option {sorted(unknown)[0]!r}, only layer_decay and "
                "undecayed"
            )
        if not 0.0 < self.paramwise_cfg["layer_decay"] <= 1.0:
            raise ValueError(f"layer_decay is in (0, 1], not {self.paramwise_cfg['layer_decay']}")
        if self.base_lr is None:
            raise ValueError("LayerDecayOptimConstructor needs the optimizer's lr")

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: object) -> None:
        """Append one group per learning rate and weight decay; MMEngine logs the first: the highest rate."""
        decay = self.paramwise_cfg["layer_decay"]
        vits = {name: part for name, part in module.named_modules() if isinstance(part, ViT)}
        if not vits and decay != 1.0:
            raise ValueError("layer_decay is set, but the model has no backbones.vit.ViT in it")
        groups: dict[tuple[float, bool], dict] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            scale = 1.0
            for prefix, vit in vits.items():
                if not prefix or name.startswith(prefix + "."):
                    local = name[len(prefix) + 1 :] if prefix else name
                    scale = decay ** (vit.depth + 1 - min(vit.layer_of(local), vit.depth))
            named = any(f".{part}." in f".{name}." for part in self.paramwise_cfg["undecayed"])
            plain = parameter.ndim <= 1 or named
            group = groups.setdefault((scale, plain), {"params": [], "lr": self.base_lr * scale})
            group["params"].append(parameter)
            if self.base_wd is not None:
                group["weight_decay"] = 0.0 if plain else self.base_wd
        params.extend(groups[key] for key in sorted(groups, key=lambda key: (-key[0], key[1])))
