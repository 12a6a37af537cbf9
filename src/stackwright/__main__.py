"""`python -m stackwright`."""

from stackwright.cli.main import main

main()
