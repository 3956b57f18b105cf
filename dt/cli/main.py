"""Entry point of `dt`: finds the command, runs it, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol, cast

from dt.cli.exits import FAILURE, SUCCESS, WRONG_USE
from dt.utils.exceptions import ConfigError, DTError, MessageError, RemoteServiceError

# In the order of `dt --help`; each is a module of dt/cli/commands.
COMMANDS = (
    "demo",
    "solo",
    "up",
    "down",
    "status",
    "stop-all",
    "replay",
    "simulate",
    "report",
    "timelapse",
    "backup",
    "restore",
    "export",
    "token",
    "doctor",
    "settings",
)


class CommandModule(Protocol):
    """What every module of dt/cli/commands has."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dt` and return its exit code: 0 success, 1 failure, 2 wrong use."""
    parser = build_parser()
    args = parser.parse_args(arguments)
    try:
        return cast(CommandModule, args.module).run(args)
    except (ConfigError, MessageError) as error:
        return _fail(args.command, error, WRONG_USE)
    except RemoteServiceError as error:
        return _fail(args.command, f"{error}\nIs that service running? See dt status; dt up starts all.", FAILURE)
    except (DTError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return _end_quietly()
        return _fail(args.command, error, FAILURE)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return FAILURE


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="dt",
        description="Plant Twin: a digital twin for plant health.",
        epilog="Exit codes: 0 success, 1 failure, 2 wrong use. Results go to stdout, progress and logs to stderr.",
    )
    parser.add_argument("--version", action="version", version=f"dt {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name in COMMANDS:
        module = cast(CommandModule, importlib.import_module(f"dt.cli.commands.{name.replace('-', '_')}"))
        command = commands.add_parser(name, help=module.HELP, description=_sentence(module.HELP))
        module.add_arguments(command)
        command.set_defaults(module=module)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _version() -> str:
    try:
        return version("plant-twin")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "(not installed)"


def _fail(command: str, error: object, code: int) -> int:
    sys.stderr.write(f"dt {command}: {error}\n")
    return code


def _end_quietly() -> int:
    # The reader of our output went away; Python would complain once more when it closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
