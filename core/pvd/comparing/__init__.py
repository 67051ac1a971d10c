"""Comparing: the same exam for students that were taught in different ways.

design -> ( exam questions of each judge -> cells, each a run of its own ) -> marks -> findings
"""
