"""Bundled students."""
