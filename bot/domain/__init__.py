"""The pure core: values and decisions. No I/O, no clock, no randomness; time comes in as an argument."""
