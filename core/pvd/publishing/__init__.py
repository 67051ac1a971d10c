"""Giving a student away: a folder in its published layout, and a model card."""
