"""The one way to MMEngine's Runner: launching, resuming, averaging, counting, telling, for whoever trains."""
