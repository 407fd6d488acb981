"""The loop: sweeps, their schedule, and the containment of one service's failure from the others."""
