"""The tree over steps, against the definition in RFC 9162 written out."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.tree import Tree, leaf_hash, root_of_path


def digest(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=32).hexdigest()


def by_definition(leaves: list[str]) -> bytes:
    """MTH of section 2.1.1: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    both = by_definition(leaves[:split]) + by_definition(leaves[split:])
    return blake2b(b"\x01" + both, digest_size=32).digest()


@given(st.integers(1, 70))
def test_the_root_is_that_of_the_definition_and_every_path_leads_to_it(size: int) -> None:
    leaves = [digest(number) for number in range(size)]
    tree = Tree(leaves)
    assert tree.root == by_definition(leaves).hex()
    for step, leaf in enumerate(leaves):
        assert root_of_path(leaf, step, size, tree.path(step)) == tree.root


@given(st.data(), st.integers(1, 40))
def test_no_other_step_size_or_path_leads_there(data: st.DataObject, size: int) -> None:
    tree = Tree([digest(number) for number in range(size)])
    step = data.draw(st.integers(0, size - 1))
    path = tree.path(step)
    assert root_of_path(digest(size), step, size, path) != tree.root
    assert root_of_path(digest(step), step, size, (*path, digest(0))) != tree.root
    if path:
        assert root_of_path(digest(step), step, size, path[:-1]) != tree.root
    for other in (-1, size, size + 1):
        assert root_of_path(digest(step), other, size, path) is None
