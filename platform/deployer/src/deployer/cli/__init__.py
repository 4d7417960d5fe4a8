"""The command line: parses, prints, exits. What a command needs is imported when it is called."""

from deployer.cli.main import main as main
