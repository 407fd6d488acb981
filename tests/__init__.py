"""The tests of Liftlock, mirroring the package."""
