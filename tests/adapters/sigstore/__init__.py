"""Tests of what signatures prove: by the lab's instance, by genuine bundles, and by bytes that were tampered with."""
