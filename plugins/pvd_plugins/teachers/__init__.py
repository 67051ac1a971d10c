"""Bundled teachers."""
