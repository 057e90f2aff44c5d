"""The numbers that results are told in."""
