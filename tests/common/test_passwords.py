"""A log-in takes as long whether or not there is such a person."""

from argon2 import PasswordHasher, extract_parameters

from relaygram_common.security.passwords import NOBODY, hash_password, password_matches


async def test_a_password_is_known_again_and_no_other_one() -> None:
    stored = await hash_password("correct horse")
    assert await password_matches(stored, "correct horse")
    assert not await password_matches(stored, "correct house")


async def test_a_check_for_nobody_costs_what_a_check_for_somebody_costs(earnest_hasher: PasswordHasher) -> None:
    assert extract_parameters(NOBODY) == extract_parameters(earnest_hasher.hash("anything"))
    assert extract_parameters(NOBODY) == extract_parameters(PasswordHasher().hash("anything"))
    assert not await password_matches(None, "anything")
