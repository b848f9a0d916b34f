"""What an install brings is listed with its licence, and the GPL stays in the extra that says so."""

import re

import pytest

from tests.deploy.audit import verdict
from tests.deploy.licences import EXTRAS, PAGE, Package, brought, is_gpl, licence

ROWS = {
    (name, version): said
    for name, version, said in re.findall(r"^\| ([\w.-]+) \| ([\w.+-]+) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
}


def all_brought() -> list[Package]:
    return [*brought(), *(each for extra in EXTRAS for each in brought(extra))]


def test_the_page_lists_what_the_lock_file_brings() -> None:
    listed = {(each.name, each.version) for each in all_brought()}
    assert listed == ROWS.keys() - {("package", "version")}, "write it anew: make licences"


@pytest.mark.parametrize("package", all_brought(), ids=lambda package: package.name)
def test_the_page_says_of_each_package_what_it_says_of_itself(package: Package) -> None:
    said = licence(package.name)
    if said is None:
        pytest.skip(f"{package.name} comes with an extra that is not installed here")
    assert ROWS[package.name, package.version] == said, "write it anew: make licences"
    assert said != "not said"


def test_the_default_install_is_free_of_the_gpl() -> None:
    found = brought()
    assert len(found) > 15
    assert [each.name for each in found if is_gpl(licence(each.name) or "")] == []
    assert not {"ogmios", "pycardano"} & {each.name for each in found}


def test_the_gpl_is_seen_where_it_is() -> None:
    assert is_gpl("GPL-3.0-or-later")
    assert is_gpl("GNU General Public License v3 or later (GPLv3+)")
    assert is_gpl("AGPL-3.0-only")
    assert not is_gpl("LGPL-3.0-only")
    assert not is_gpl("GNU Lesser General Public License v2 or later (LGPLv2+)")
    assert [each.name for each in brought("devnet") if is_gpl(licence(each.name) or "")] == ["frozenlist2", "ogmios"]


def test_an_audit_that_looked_nothing_up_is_no_clean_one() -> None:
    sound = {"name": "a", "version": "1", "vulns": []}
    faulty = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}
    assert verdict([sound])[0] == 0
    assert verdict([sound, faulty, skipped]) == (1, ["b 2: CVE-1, mended in 3"])
    assert verdict([sound, skipped])[0] == 3
    assert verdict([])[0] == 3
