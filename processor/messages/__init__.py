"""Every message form that podcause reads, Kubernetes 1.8 to 1.37, containerd, CRI-O and dockershim, in one place.

Pure text in, small facts out. Texts are no API (api/core/v1/types.go, Event): an unknown form is OTHER, never an error. Nothing here
decides an episode; that is the rules' work. One module per kind of text; each has a test table with a line per era.
"""

from processor.messages.events import Form, Reading, is_admission_reason, is_shutdown_reason, read_event
from processor.messages.images import image_cause, image_error
from processor.messages.logs import LogHint, listening_port, read_log, unfit_executable
from processor.messages.probe_outputs import Answer, ProbeOutput, read_probe_output
from processor.messages.runtime_errors import create_error_cause, runtime_point, start_error_cause

__all__ = [
    "Answer",
    "Form",
    "LogHint",
    "ProbeOutput",
    "Reading",
    "create_error_cause",
    "image_cause",
    "image_error",
    "is_admission_reason",
    "is_shutdown_reason",
    "listening_port",
    "read_event",
    "read_log",
    "read_probe_output",
    "runtime_point",
    "start_error_cause",
    "unfit_executable",
]
