"""Part of the build of a wheel: brings what the dashboard's pages load, so that an installed one needs no network."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FetchAssets(BuildHookInterface):  # type: ignore[misc]
    """An editable install is a checkout: it fetches when it serves. Without a network a wheel is made all the same."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del build_data
        if version != "editable":
            vendor = runpy.run_path(str(Path(self.root) / "consumers" / "dashboard" / "vendor.py"))
            if vendor["missing"]():
                try:
                    vendor["fetch"](self.app.display_info)
                except vendor["AssetsUnavailable"] as error:
                    self.app.display_warning(f"the dashboard of this wheel is neither live nor zooms: {error}")
