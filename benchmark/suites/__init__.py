"""What is to be run: suites, their cells, and what a result depends on."""
