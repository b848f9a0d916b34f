"""TLS and SASL, against a broker that demands them."""

import gc
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from deploy.kafka.broker import Cluster
from indexer.errors import CellwitnessError, ConfigurationError
from indexer.log import kafka_settings
from indexer.log.audit import verify
from indexer.log.port import LogUnavailable
from indexer.log.urls import open_log
from tests.indexer.log.chains import Scribe, Tree
from tests.kafka import free_ports

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")


class Secured(Struct, frozen=True):
    """A broker with a port for SCRAM over TLS and one for certificates of clients, and what clients need."""

    sasl: str
    mutual: str
    folder: Path

    def file(self, name: str) -> str:
        return str(self.folder / name)


def _authority(folder: Path) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return name, key


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
    )


def _certificate(folder: Path, who: str, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey) -> None:
    """WHO.pem and WHO.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, who)])
    certificate = (
        _builder(subject, issuer, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{who}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{who}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kafka_settings, "BOOTSTRAP_SECONDS", 3.0)
    yield
    with warnings.catch_warnings():  # kafka-python leaves the sockets behind that were refused
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    name, key = _authority(folder)
    for who in ("broker", "follower"):
        _certificate(folder, who, name, key)
    (folder / "broker-store.pem").write_bytes(
        (folder / "broker.key").read_bytes() + (folder / "broker.pem").read_bytes()
    )
    sasl, mutual, internal, controller = free_ports(4)
    listeners = f"SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{mutual},INTERNAL://127.0.0.1:{internal}"
    properties = {
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": listeners.replace("127.0.0.1", "localhost"),
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "broker-store.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    arguments = ["--add-scram", "SCRAM-SHA-512=[name=follower,password=correct horse]"]
    cluster = Cluster(folder / "kafka", [sasl], [controller], properties=properties, format_arguments=arguments)
    with cluster:
        yield Secured(f"localhost:{sasl}", f"localhost:{mutual}", folder)


def write_and_verify(url: str, settings: Mapping[str, str | bool]) -> None:
    with closing(open_log(url, settings)) as log:
        with log.lease():
            scribe = Scribe(log)
            scribe.forward(Tree().grow([], 3))
            scribe.writer.close()
        assert verify(log).sound


def scram(secured: Secured, **more: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "follower",
        "sasl.password": "correct horse",
        "ssl.cafile": secured.file("ca.pem"),
    } | {key.replace("_", "."): value for key, value in more.items()}


def mutual(secured: Secured) -> dict[str, str]:
    return {
        "security.protocol": "SSL",
        "ssl.cafile": secured.file("ca.pem"),
        "ssl.certfile": secured.file("follower.pem"),
        "ssl.keyfile": secured.file("follower.key"),
    }


def test_scram_over_tls_writes_and_reads(secured: Secured) -> None:
    write_and_verify(f"kafka://{secured.sasl}/scram.test", scram(secured))


def test_certificates_on_both_sides_write_and_read(secured: Secured) -> None:
    write_and_verify(f"kafka://{secured.mutual}/mutual.test", mutual(secured))


def test_a_wrong_password_is_a_cause_that_is_named_and_the_password_is_not(secured: Secured) -> None:
    with closing(open_log(f"kafka://{secured.sasl}/x.test", scram(secured, sasl_password="wrong battery"))) as log:
        with pytest.raises(LogUnavailable, match=r"do not let us in: .* sasl") as refused:
            log.end()
        assert "wrong battery" not in str(refused.value)


@pytest.mark.parametrize("lacking", ["certificate", "authority", "tls"])
def test_whoever_lacks_what_the_broker_demands_is_not_let_in(secured: Secured, lacking: str) -> None:
    settings = mutual(secured)
    match lacking:
        case "certificate":
            del settings["ssl.certfile"], settings["ssl.keyfile"]
        case "authority":
            settings["ssl.cafile"] = secured.file("follower.pem")
        case _:
            settings = {}
    with closing(open_log(f"kafka://{secured.mutual}/x.test", settings)) as log:
        with pytest.raises(CellwitnessError) as refused:
            log.end()
        assert isinstance(refused.value, LogUnavailable | ConfigurationError)
