"""Where child processes run."""
