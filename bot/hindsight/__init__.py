"""Reads the past for a backtest: Git, Argo CD's history and Prometheus in, facts and tiles out; judges nothing."""
