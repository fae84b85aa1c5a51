"""``python -m shellwire`` is the same program as ``shellwire``."""

from shellwire.cli import main

if __name__ == "__main__":
    main(prog_name="shellwire")
