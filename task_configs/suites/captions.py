"""How much the demo's outcome depends on the wording of its captions: nothing is written for one objective.

Protocol: both objectives of the demo, by its recipes and half its samples, on the same pictures with captions
in four wordings: as untidy as the web's (the demo's own), clean (all that is there and nothing else), noisy
(less of it, and a quarter mentions something else), and rare (half of the things called by the name of a kind
of them). Linear probe and k-NN on the demo's transfer pictures. How well mined labels agree with what is on
the pictures, for each wording, is said by tests/calibration/label_agreement.py.

Command:
    python run_suite.py --suite captions

Published: none, the data are drawn by this project.
"""

_wordings = ("web", "clean", "noisy", "rare")
_others = dict(
    class_train=1,
    class_val=1,
    class_test=1,
    class_shifted=1,
    instances_train=1,
    instances_val=1,
    instances_test=1,
    semantic_train=1,
    semantic_val=1,
    semantic_test=1,
)

prepare = dict(demo=dict(type="benchmark.demo_data:draw", test_seed=100))
data = dict(demo_classification="{results}/data/demo/classification")
pretraining = {}
for _wording in _wordings:
    _folder = "demo" if _wording == "web" else f"captions_{_wording}"
    if _wording != "web":
        prepare[_folder] = dict(type="benchmark.demo_data:draw", captions=_wording, **_others)
    data[f"pairs_{_wording}"] = "{results}/data/" + f"{_folder}/pairs"
    for _objective in ("clip", "catlip"):
        pretraining[f"{_objective}-{_wording}"] = dict(
            config=f"pretraining/demo_{_objective}.py",
            data=f"pairs_{_wording}",
            set={"samples": 40_000, "optimizer.warmup_samples": 2_800 if _objective == "clip" else 6_800},
        )
vocabulary = dict(min_count=20)
backbones = {name: "run:{suite}/pretrain/" + name for name in pretraining}
tasks = ["classification/demo_linear_probe.py", "classification/demo_knn.py"]
seeds = 1
