"""The one way to MMEngine's Runner: resuming, launching, averaging, counting, for whoever trains."""
