"""The harness: suites of cells (backbone x task x axes x seed), their records, tables and plots."""
