import pytest

from orchestration.cli.dlq.boxes import check_letter
from orchestration.cli.dlq.errors import AmbiguousLetterError, UnknownLetterError
from orchestration.cli.dlq.filters import Selection


def selection(letter):
    return Selection(jobs=(), tenant=None, run="", stage=None, letter=letter)


def test_without_an_id_any_number_of_letters_is_meant():
    for found in (0, 1, 2):
        check_letter(found, selection(""))


def test_the_beginning_of_an_id_has_to_mean_one_letter():
    check_letter(1, selection("6f"))
    with pytest.raises(UnknownLetterError, match="no dead letter has an id that begins with `6f`"):
        check_letter(0, selection("6f"))
    with pytest.raises(AmbiguousLetterError, match="several dead letters have an id"):
        check_letter(2, selection("6f"))
