"""The development environment: everything that ./test and ./demo set up."""
