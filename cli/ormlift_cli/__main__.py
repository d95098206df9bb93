"""`python -m ormlift_cli` is `ormlift`."""

from ormlift_cli.app import main

if __name__ == "__main__":
    main()
