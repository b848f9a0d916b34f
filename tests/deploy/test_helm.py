"""The chart: rendered by Helm itself without a cluster, valid by Kubernetes' own schemas, and hardened."""

from collections.abc import Iterator
from typing import Any, Final

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from tests.deploy.commandlines import is_here, require_taken
from tests.shared import ROOT

CHART: Final = str(ROOT / "deploy" / "helm" / "cellwitness")
VERSIONS: Final = ("1.31", "1.35")
LEAST: Final[dict[str, Any]] = {
    "profile": 'name = "fleet"',
    "ogmios": ["ws://ogmios:1337"],
    "log": "kafka://a:9092,b:9092/preprod",
    "database": {
        "host": "db.example",
        "owner": {"user": "admin", "secret": "db-admin"},
        "worker": {"user": "worker", "secret": "db-worker"},
    },
}
ALL: Final[dict[str, Any]] = LEAST | {
    "image": {"repository": "registry.example/cellwitness", "digest": f"sha256:{'a' * 64}"},
    "ogmios": ["ws://ogmios-a:1337", "wss://ogmios-b/"],
    "database": LEAST["database"]
    | {
        "alerter": {"user": "alerter", "secret": "db-alerter"},
        "dashboard": {"user": "dashboard", "secret": "db-dashboard"},
        "caConfigMap": "db-ca",
    },
    "kafkaEnvironment": {"CELLWITNESS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
    "kafkaSecret": "kafka",
    "alerter": {"enabled": True, "routesSecret": "routes"},
    "serve": {"enabled": True, "tokensSecret": "tokens", "hostNames": ["cellwitness.example"]},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
}
EACH = pytest.mark.parametrize("values", [LEAST, ALL], ids=["least", "all"])


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values=values, name="cw", namespace="batteries")
    return [
        document
        for name, text in files.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]


def of_kind(values: dict[str, Any], *kinds: str) -> Iterator[dict[str, Any]]:
    yield from (each for each in rendered(values) if each["kind"] in kinds)


def pods(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"].removeprefix("cw-"): each["spec"]["template"]["spec"]
        for each in of_kind(values, "Deployment", "Job")
    }


@EACH
def test_helm_finds_no_fault(values: dict[str, Any]) -> None:
    report = helm.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] > 1] == []


@EACH
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_rendered_is_valid(values: dict[str, Any], version: str) -> None:
    documents = rendered(values)
    assert len(documents) > 5
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_parts_are_those_that_are_asked_for() -> None:
    assert set(pods(LEAST)) == {"migrate", "follower", "worker"}
    assert set(pods(ALL)) == {"migrate", "follower", "worker", "alerter", "serve"}


@EACH
def test_each_pod_is_hardened(values: dict[str, Any]) -> None:
    for name, pod in pods(values).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert name == "migrate" or container["resources"]["limits"]["memory"], name
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume], name


@EACH
def test_each_command_is_one_that_the_program_takes(values: dict[str, Any]) -> None:
    for pod in pods(values).values():
        for container in pod["containers"]:
            level, _, *words = container["args"]
            assert level == "--log-level"
            if is_here(words):
                require_taken(words)


@EACH
def test_no_secret_is_in_what_is_rendered_and_each_is_referred_to(values: dict[str, Any]) -> None:
    assert not list(of_kind(values, "Secret"))
    for name, pod in pods(values).items():
        for variable in pod["containers"][0].get("env", ()):
            assert "PASSWORD" not in variable["name"] or "valueFrom" in variable, name


@EACH
def test_each_part_that_stays_is_probed_and_may_be_disturbed_one_pod_at_a_time(values: dict[str, Any]) -> None:
    budgets = {each["metadata"]["name"] for each in of_kind(values, "PodDisruptionBudget")}
    for deployment in of_kind(values, "Deployment"):
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert deployment["metadata"]["name"] in budgets
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_network_lets_in_scrapes_and_nothing_else_and_out_only_where_the_parts_go() -> None:
    (policy,) = of_kind(LEAST, "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ports = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert ports == {9100, 9101, 9102}
    assert all(rule["ports"] for rule in policy["spec"]["egress"])
    assert len(list(of_kind(ALL, "NetworkPolicy"))) == 3


def test_tables_are_migrated_before_anything_else_of_the_chart_is_there() -> None:
    (job,) = of_kind(LEAST, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    made_by_the_chart = {each["metadata"]["name"] for each in of_kind(LEAST, "ConfigMap", "ServiceAccount")}
    assert pod.get("serviceAccountName") not in made_by_the_chart
    assert not [volume for volume in pod["volumes"] if volume.get("configMap", {}).get("name") in made_by_the_chart]


@pytest.mark.parametrize(
    "wrong",
    [
        {"log": "sqlite:events.db"},
        {"ogmios": []},
        {"ogmios": ["http://ogmios"]},
        {"profile": ""},
        {"worker": {"replicas": 0}},
        {"image": {"tag": "latest"}},
        {"since": "yesterday"},
        {"kafkaEnvironment": {"CELLWITNESS_KAFKA_SASL_PASSWORD": "x"}},
        {"alerter": {"enabled": True}},
        {"serve": {"enabled": True, "tokensSecret": "t"}},
        {"workers": {"replicas": 3}},
        {"database": LEAST["database"] | {"worker": {"user": "worker", "secret": ""}}},
        {"database": LEAST["database"] | {"password": "x"}},
    ],
    ids=str,
)
def test_values_that_can_not_be_are_refused(wrong: dict[str, Any]) -> None:
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmValuesError):
        chart.validate_schema(LEAST | wrong)


def test_an_owner_without_a_secret_is_named() -> None:
    values = LEAST | {"database": LEAST["database"] | {"owner": {"user": "admin", "secret": ""}}}
    with pytest.raises(helm.HelmError, match=r"database\.owner\.secret"):
        rendered(values)
