"""``python -m monitord``: the same as the command."""

from monitord.cli.main import main

if __name__ == "__main__":
    main()
