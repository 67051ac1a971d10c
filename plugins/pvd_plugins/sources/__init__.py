"""Bundled sources."""
