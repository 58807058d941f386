"""The configuration of the ingress, as HAProxy reads it."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from string import Template

import msgspec

from decision_service.runtime.ingress.identity import HEADER
from decision_service.runtime.ingress.problems import write_error_files
from decision_service.schemas.command_answers import AliveAnswer

_REQUESTS_PER_REPLICA = 512
"""Requests that a replica works on at once: many requests share one write to the log and one trip to Redis."""

_WAITING_PER_REPLICA = 256
"""Requests that wait for a place; the ingress answers further requests with 429."""

_LARGE_PER_REPLICA = 32
"""Requests at once whose bodies do not fit into a buffer. They reach a replica before their bodies are complete."""

_SLOW_PER_REPLICA = 64
"""Requests at once that may take minutes: reports, and what is in force on every replica before it is answered."""

_BUFFER_BYTES = 65_536
_WHOLE_BODY_BYTES = _BUFFER_BYTES - 8_192
"""Longer bodies are large: HAProxy keeps a part of the buffer free to rewrite headers."""

_MOST_CONNECTIONS = 10_000
_OTHER_DESCRIPTORS = 256

_TEMPLATE = Template(
    """global
    maxconn $connections
    nbthread $threads
    tune.bufsize $buffer_bytes
    stats socket $admin_socket mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout http-request ${headers_within_s}s
    timeout http-keep-alive 90s
    timeout queue 10s
    retries 1
    http-reuse always
    option abortonclose
    option http-no-delay
$error_files
frontend public
    bind fd@$listener
    acl probe path /readyz /metrics
    acl slow path_beg /v1/report /v1/clock /v1/catalog /v1/models
    acl large req.body_size gt $whole_body_bytes
    acl crowded queue(service) ge $waiting
    # Whether the process lives. The answer must not depend on a replica: a long rebuild is no reason for a restart.
    acl alive path /healthz
    http-request return status 200 content-type application/json hdr $header $identity string '$alive' if alive METH_GET
    # The paths and the request headers of Serve itself are nothing for callers.
    http-request return status 404 default-errorfiles if { path_beg /-/ }
    http-request del-header x-request-timeout-seconds
    http-request del-header x-request-disconnect-disabled
    http-request del-header serve_multiplexed_model_id
    http-request set-header $header $identity
    # A body is complete before its request takes a place. Only a body that does not fit into the buffer is not.
    http-request wait-for-body time ${body_within_s}s unless METH_GET
    http-request return status 429 default-errorfiles if crowded !probe !slow !large
    use_backend probes if probe
    use_backend slow if slow
    use_backend large if large
    default_backend service
    # An answer without the identity of this run is not from this service. Serve answers 429 when it has no place.
    acl own res.hdr($header) -m str $identity
    acl problem res.hdr(content-type) -m str application/problem+json
    http-response return status 400 default-errorfiles if !own { status 400 }
    http-response return status 503 default-errorfiles if !own
    http-response return status 429 default-errorfiles if { status 429 } !problem
    http-response return status 503 default-errorfiles if { status 500:599 } !problem
    http-response del-header $header
backend service
    server serve unix@$service_socket maxconn $places $state
backend large
    timeout server 120s
    server serve unix@$service_socket maxconn $large_at_once $state
backend slow
    timeout server 600s
    server serve unix@$service_socket maxconn $slow_at_once $state
backend probes
    timeout server 5s
    server serve unix@$service_socket $state
"""
)

BACKENDS = ("service", "large", "slow", "probes")
SERVER = "serve"


class IngressPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the configuration of an ingress depends on.

    Attributes
    ----------
    directory
        A directory for the configuration and the sockets, with a short path.
    service_socket
        The Unix socket of Serve's HAProxy.
    identity
        The identity of the run.
    replicas
        The number of replicas.
    headers_within_s, body_within_s
        How long a caller may take to send the headers, and then the body.
    """

    directory: Path
    service_socket: Path
    identity: str
    replicas: int
    headers_within_s: int = 10
    body_within_s: int = 15

    @property
    def admin_socket(self) -> Path:
        """Socket for commands to the ingress."""
        return self.directory / "admin"


def write_configuration(plan: IngressPlan, listener: int, *, is_open: bool) -> Path:
    """Write the configuration and its error files, and return the path of the configuration.

    Parameters
    ----------
    listener
        The file descriptor of the public address, which listens already.
    is_open
        Whether requests reach the service. Otherwise the ingress answers them with 503.
    """
    error_files = write_error_files(plan.directory)
    text = _TEMPLATE.substitute(
        connections=count_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        threads=max(1, min(4, (os.cpu_count() or 1) // 2)),
        buffer_bytes=_BUFFER_BYTES,
        whole_body_bytes=_WHOLE_BODY_BYTES,
        admin_socket=plan.admin_socket,
        error_files="\n".join(f"    errorfile {status} {path}" for status, path in error_files.items()),
        listener=listener,
        headers_within_s=plan.headers_within_s,
        body_within_s=plan.body_within_s,
        alive=msgspec.json.encode(AliveAnswer()).decode(),
        header=HEADER,
        identity=plan.identity,
        waiting=_WAITING_PER_REPLICA * plan.replicas,
        places=_REQUESTS_PER_REPLICA * plan.replicas,
        large_at_once=_LARGE_PER_REPLICA * plan.replicas,
        slow_at_once=_SLOW_PER_REPLICA * plan.replicas,
        service_socket=plan.service_socket,
        state="" if is_open else "disabled",
    )
    path = plan.directory / "ingress.cfg"
    path.write_text(text)
    return path


def count_connections(most_files: int) -> int:
    """Return how many connections a HAProxy can hold under a limit of open files.

    A connection needs one file to either side, and every fourth one a pipe, which is two files.

    >>> count_connections(4_096), count_connections(1_048_576), count_connections(-1)
    (1536, 10000, 10000)
    """
    if most_files == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, (most_files - _OTHER_DESCRIPTORS) * 2 // 5))
