"""Plug-ins for pvd: a teacher on aesthetic statistics, a sampler of close calls, LambdaRank."""
