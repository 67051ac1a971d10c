"""What a plug-in does wrong is said in one sentence that names it, and harms nobody else.

`origin` knows which distribution or file a class is from, `guard` stands where core calls it,
`checks`, `answers` and `catalogs` look at what it returns, `output` keeps what it prints away from
the results, `keeping` puts back what belongs to the whole process.
"""

from pvd.isolation.guard import calling, guard, inside, unguarded
from pvd.isolation.origin import Origin, origin_of

__all__ = ["Origin", "calling", "guard", "inside", "origin_of", "unguarded"]
