"""Published files on loopback, over HTTPS."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from torch_zoo.utils.downloads import PublishedFile

ADDRESS = "127.0.0.1"


class Server:
    """Serves one content under any name and counts who asks; it announces the first content's length.

    Its certificate is `certificate.pem` in the folder, for SSL_CERT_FILE. Who asks for a path in `moved` is sent to
    another URL.
    """

    def __init__(self, content: bytes, folder: Path) -> None:
        self.content, self.length, self.requests = content, len(content), 0
        self.moved: dict[str, str] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                if self.path in outer.moved:
                    self.send_response(302)
                    self.send_header("Location", outer.moved[self.path])
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(outer.length))
                self.end_headers()
                self.wfile.write(outer.content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer((ADDRESS, 0), Handler)
        self.http.socket = _context(folder).wrap_socket(self.http.socket, server_side=True)

    def url(self, name: str) -> str:
        return f"https://{ADDRESS}:{self.http.server_port}/{name}"

    def published(self, sha256: str | None = None) -> PublishedFile:
        digest = sha256 or hashlib.sha256(self.content).hexdigest()[:8]
        return PublishedFile(self.url(f"net-{digest}.pth"), digest, "none")


def _context(folder: Path) -> ssl.SSLContext:
    """With a new certificate, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server of the tests")])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    usage = dict.fromkeys(
        "content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only "
        "decipher_only".split(),
        False,
    )
    extensions = [
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))]), False),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ]
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
