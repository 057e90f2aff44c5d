"""From captions to classes: what a label is, where labels are kept, which of them are learnt."""
