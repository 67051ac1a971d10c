"""Money: what a run will cost, what it may cost, and what it has cost."""
