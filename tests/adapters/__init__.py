"""Tests of the adapters: real files, real sockets, small servers that can fail on demand."""
