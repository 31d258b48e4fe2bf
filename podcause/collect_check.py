"""What `podcause collect --check` prints: what the cluster and Kafka have of what is needed, and the rules that are missing.

It tries nothing itself and changes nothing.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from collector.api_errors import ApiError
from collector.checking import Finding, Plan, missing_rules
from schemas.kafka_settings import KafkaSettings

_OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
#: Where there is no terminal, lines are not broken at its width.
_FILE_COLUMNS: Final = 160


def own_namespace() -> str:
    """Where the Lease is: the pod's own namespace, or ``podcause`` outside a cluster."""
    if name := os.environ.get("POD_NAMESPACE"):
        return name
    try:
        return _OWN_NAMESPACE.read_text(encoding="utf-8").strip() or "podcause"
    except OSError:
        return "podcause"


def run_check(
    kafka: KafkaSettings,
    plan: Plan,
    *,
    topic_prefix: str,
    create_topics: bool = True,
    partitions: int = 6,
    replication_factor: int | None = None,
    kubeconfig: Path | None = None,
    context: str | None = None,
) -> int:
    """Try everything, print it, and return the exit code: 0 when nothing that is needed is missing, else 1."""
    from collector.api import Api, ApiSettings
    from collector.checking import check_cluster
    from collector.kafka_checking import check_kafka

    try:
        with Api(ApiSettings(kubeconfig=kubeconfig, context=context)) as api:
            found = check_cluster(api, plan)
    except ApiError as error:
        found = [Finding("reach the API server and log in", good=False, detail=str(error))]
    found += check_kafka(kafka, topic_prefix, create=create_topics, partitions=partitions, replication=replication_factor)
    show(Console() if sys.stdout.isatty() else Console(width=_FILE_COLUMNS), found)
    return 0 if all(one.good or one.optional for one in found) else 1


def show(console: Console, found: Sequence[Finding]) -> None:
    """The table, and below it the rules to add."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "detail"):
        table.add_column(column, overflow="fold")
    for one in found:
        mark = "[green]ok[/]" if one.good else ("[yellow]without[/]" if one.optional else "[red]missing[/]")
        detail = f"{one.detail} (optional)" if one.optional and not one.good else one.detail
        table.add_row(mark, escape(one.what), escape(detail))
    console.print(table)
    needed = [one for one in found if not one.optional]
    for title, rules in (
        ("Add these rules to the collector's role (deploy/rbac.yaml):", missing_rules(needed)),
        ("Optional, for owners that names do not tell:", missing_rules([one for one in found if one.optional])),
    ):
        if rules:
            console.print(f"\n{title}")
            click.echo(rules)
