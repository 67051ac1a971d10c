"""`python -m pvd`."""

from pvd.cli import main

if __name__ == "__main__":
    main()
