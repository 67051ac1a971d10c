"""Searching with a student: a catalogue embedded once, and found by text."""
