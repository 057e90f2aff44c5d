"""Readers of weights, one file per source."""
