"""From captions to classes: what a label is, where labels are kept, which of them are learnt.

To be read in this order:

1. ``rule``: what a label is, in three lines.
2. ``captions`` and ``tokenizer``: cleaning a caption and splitting it, as the rule asks for.
3. ``synsets`` and ``lexicon/``: WordNet's nouns, and the rule made fast; ``arrays``: faster still, for many.
4. ``sources`` and ``sidecars``: captions out of files, labels into a file beside each.
5. ``vocabulary``: the synsets frequent enough to be classes; ``corenet_vocabulary``: those of Apple's models.
6. ``label_lists`` and ``matching``: the classes of another data set, looked up among them.
"""
