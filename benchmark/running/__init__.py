"""Running what a suite lists: jobs in child processes, shown and kept."""
