"""The configuration of the ingress, as HAProxy reads it."""

from __future__ import annotations

import os
from pathlib import Path
from string import Template

import msgspec

from decision_service.runtime.ingress.identity import HEADER
from decision_service.runtime.ingress.problems import write_error_files
from decision_service.runtime.start import limits
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
    bind fd@$address
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
    # An answer without the identity of this run is not from this service. An error that is no problem document is from
    # Serve: 400 for what is no HTTP, 429 when it has no place, anything else while it knows no replica.
    acl own res.hdr($header) -m str $identity
    acl problem res.hdr(content-type) -m str application/problem+json
    acl error status 400:599
    http-response return status 400 default-errorfiles if !problem { status 400 }
    http-response return status 429 default-errorfiles if !problem { status 429 } own
    http-response return status 503 default-errorfiles if error !problem
    http-response return status 503 default-errorfiles if !own
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


def write_configuration(plan: IngressPlan, address: int, *, is_open: bool) -> Path:
    """Write the configuration and its error files, and return the path of the configuration.

    Parameters
    ----------
    address
        The file descriptor of a socket that is bound to the public address.
    is_open
        Whether requests reach the service. Otherwise the ingress answers them with 503.
    """
    error_files = write_error_files(plan.directory)
    text = _TEMPLATE.substitute(
        connections=limits.count_connections(),
        threads=max(1, min(4, (os.cpu_count() or 1) // 2)),
        buffer_bytes=_BUFFER_BYTES,
        whole_body_bytes=_WHOLE_BODY_BYTES,
        admin_socket=plan.admin_socket,
        error_files="\n".join(f"    errorfile {status} {path}" for status, path in error_files.items()),
        address=address,
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
