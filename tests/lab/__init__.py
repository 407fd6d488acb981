"""Tests of the lab: its servers tell the truth about the world behind them."""
