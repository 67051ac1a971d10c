"""The store of answers: kept once, leased before they are asked, counted, published, deleted."""

from pvd.store.answers import LEASE_SECONDS, Batch, Spent, Store, default_path

__all__ = ["LEASE_SECONDS", "Batch", "Spent", "Store", "default_path"]
