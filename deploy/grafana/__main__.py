"""``python -m deploy.grafana``: writes the dashboards as Grafana's provisioning reads them."""

import json
from pathlib import Path
from typing import Final

from deploy.grafana.alerter import ALERTER
from deploy.grafana.fleet import FLEET
from deploy.grafana.machinery import MACHINERY
from deploy.grafana.panels import Dashboard, dashboard_json

DASHBOARDS: Final = (MACHINERY, FLEET, ALERTER)
FOLDER: Final = Path(__file__).parent / "dashboards"


def text_of(dashboard: Dashboard) -> str:
    return json.dumps(dashboard_json(dashboard), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(text_of(dashboard))


if __name__ == "__main__":
    main()
