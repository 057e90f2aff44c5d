"""Records: what was found, in a typed file per cell."""
