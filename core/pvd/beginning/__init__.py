"""How a project begins: what lies in its folder, who could teach, and a run.toml that says it all.

`pvd init` asks; `looking` finds what it offers, `writing` writes the file.
"""
