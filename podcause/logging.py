"""Logging of every command: structlog, JSON for machines, colours on a terminal, on standard error.

What libraries log through the standard library goes the same way. No record may carry a secret: callers bind names, never settings.
"""

import logging
import sys
from typing import Final, TextIO

import structlog

#: Those that report their own life at INFO: worth reading when something is wrong, noise otherwise. Faust's services log under the
#: module of their class, so two of ours are among them.
_TALKATIVE: Final = ("aiokafka", "faust", "kafka", "mode", "processor.app.kafka_driver", "processor.app.table")

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

LEVELS: Final = tuple(_LEVELS)


def configure_logging(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send every log line to the stream (standard error by default). ``debug`` shows what the libraries report at INFO, too."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    # Without the values of local variables: a password can be among them.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if terminal:
        last.append(structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback))
    else:
        last += [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]

    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if level == "debug" else max(logging.WARNING, _LEVELS[level]))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
