"""The entry point. Sub-commands are loaded when called, so that one does not pay for another's dependencies."""

import importlib
import importlib.metadata
import sys
from typing import Final

import click

#: Sub-command to module and the line that ``--help`` shows.
_COMMANDS: Final = {
    "demo": ("podcause.commands.demo", "Diagnose recorded failures of a real cluster through a real Kafka, on this machine."),
    "diagnose": ("podcause.commands.diagnose", "Diagnose a recording or the output of kubectl, without Kafka."),
    "collect": ("podcause.commands.collect", "Publish a cluster's observations to Kafka."),
    "record": ("podcause.commands.record", "Record a cluster into a file, for bug reports and tests."),
    "process": ("podcause.commands.process", "Run the processor: observations in, diagnoses out."),
    "kafka": ("podcause.commands.kafka", "Run a real Kafka broker on this machine, for trials and tests."),
    "accuracy": ("podcause.commands.accuracy", "Judge the engine by recordings and cases whose truth is known."),
}


class _LazyGroup(click.Group):
    """A group that imports a sub-command's module only when that sub-command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the table above."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{_COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands for --help without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("podcause"), prog_name="podcause")
def cli() -> None:
    """Why did this pod fail? Kubernetes pod failures, diagnosed within seconds, as a stream on Kafka."""


def main() -> None:
    """Run the command line; the process's exit code is click's."""
    sys.exit(cli(prog_name="podcause"))


if __name__ == "__main__":
    main()
