"""`python -m mombus` is the command `mombus`."""

from mombus.cli.main import run

if __name__ == "__main__":
    run()
