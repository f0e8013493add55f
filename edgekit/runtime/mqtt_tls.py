"""TLS to an MQTT broker: the certificate and the name of the host are always checked."""

from __future__ import annotations

import ssl
from typing import Any, Optional

from edgekit.core.broker_uri import BrokerUri
from edgekit.errors import UsageError


class VerifyingContext(ssl.SSLContext):
    """Shakes hands within the time to connect, and knows its latest socket.

    paho 2.1 gives a handshake the keepalive's time instead, and forgets the socket if it fails.
    """

    latest: Optional[ssl.SSLSocket] = None

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self.latest = super().wrap_socket(*arguments, **options)
        self.latest.do_handshake()
        return self.latest


def tls_context(broker: BrokerUri) -> VerifyingContext:
    """What a connection to this broker is checked with. Raises UsageError if `ca` cannot be read."""
    context = VerifyingContext(ssl.PROTOCOL_TLS_CLIENT)  # with certificate and name of the host required
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if broker.ca:
            context.load_verify_locations(broker.ca)
        else:
            context.load_default_certs()
    except OSError as error:  # ssl.SSLError too
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"{broker.ca} cannot be used to check {broker.name}", why=reason or "") from None
    return context
