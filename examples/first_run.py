"""A whole run in a few lines: draw a shop, let a simulated teacher rank, train, examine.

python examples/first_run.py
"""

from __future__ import annotations

import pvd


def main(items: int = 400, people: int = 120, slates: int = 300, out: str = "runs/first") -> None:
    """The same as `pvd run`, smaller. Given again, it prints its result and computes nothing."""
    result = pvd.run(
        seed=0,
        out=out,
        teacher={"use": "simulated", "noise": 0.5},  # made-up preferences: it needs no key
        student="tiny",
        catalog={"use": "boutique", "size": items},
        personas={"use": "boutique", "people": people},
        train={"rounds": 2, "slates": slates, "steps": 80},
    )
    exam = result.metrics["exam"]
    print(f"{exam['personas']} held-out personas x {exam['items']} held-out items")
    for system, numbers in exam["systems"].items():
        mpr = numbers["mpr_true"]  # where the student puts what the persona truly likes best
        print(f"{system:<17}{mpr['value']:6.1f}  ({mpr['low']:.1f} to {mpr['high']:.1f})")
    print(f"Intervals: 95 %, over {mpr['over']}.")
    print(f"Report: {result.report}")


if __name__ == "__main__":
    main()
