"""Tests of a policy, for `liftlock policy test`: a made-up world around the real bot, and a real Prometheus.

Enters: a test file with series, what Argo CD and people do, and what is expected. Leaves: what the bot said and did at
each expectation, against what was expected. The bot's own code runs from look to look, unchanged; only what lies behind
its ports is made up (`world`), except for the ledger, which is the real one in memory, and for Prometheus, which is a
process of its own with the series of one test (`measuring`). Nothing outside this machine is asked.
"""
