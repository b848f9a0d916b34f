import pytest

from indexer.log.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        # The values that Kafka holds its own client to, in its UtilsTest.
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_hashes_as_in_javas_client(text: str, hashed: int) -> None:
    assert murmur2(text.encode()) == hashed


def test_a_partition_is_the_positive_hash_modulo_the_count() -> None:
    assert partition_of("abc", 12) == 479470107 % 12
    assert partition_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert partition_of("21", 1) == 0
