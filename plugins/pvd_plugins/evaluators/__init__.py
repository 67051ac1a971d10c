"""Bundled evaluators."""
