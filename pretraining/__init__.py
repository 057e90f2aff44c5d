"""Pre-training: labels from captions, vocabularies, objectives and the training loop."""
