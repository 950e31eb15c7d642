"""Certificates for tests, made by openssl."""

import ssl
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificate(place, name, authority=None):
    """A key and a certificate; signed by itself, or by `authority`."""
    key, certificate = place / f"{name}.key", place / f"{name}.pem"
    subject = ["-subj", f"/CN={name}", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
    if authority is None:
        openssl("req", "-x509", "-days", "30", *subject, "-out", certificate)
    else:
        request = place / f"{name}.csr"
        openssl("req", *subject, "-out", request)
        openssl(
            "x509", "-req", "-days", "30", "-in", request, "-CA", place / f"{authority}.pem", "-CAkey", place / f"{authority}.key",
            "-CAcreateserial", "-out", certificate)
    return key, certificate


def as_der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())
