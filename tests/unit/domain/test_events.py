import pytest

from orchestration.domain.events import ConnectorEvent, TableColumn, TableReport, parse_table


def writing(**fields) -> ConnectorEvent:
    return ConnectorEvent(event_type="metrics_writing", fields=fields)


def test_a_table_has_its_name_rows_and_columns():
    event = writing(
        table="acme.airports",
        row_count=28_000,
        columns=[{"name": "iata", "type": "text"}, {"name": "elevation", "type": "double"}],
        records_written=10,
    )
    assert parse_table(event) == TableReport(
        name="acme.airports",
        row_count=28_000,
        columns=(
            TableColumn(name="iata", type="text"),
            TableColumn(name="elevation", type="double"),
        ),
    )


@pytest.mark.parametrize("rows", [None, "12", True, 1.5])
def test_a_row_count_that_is_no_whole_number_is_unknown(rows):
    assert parse_table(writing(table="t", row_count=rows)) == TableReport(name="t")


@pytest.mark.parametrize("columns", [None, "iata", {"name": "iata"}, [3, "iata", {"type": "text"}]])
def test_columns_of_another_form_are_left_out(columns):
    assert parse_table(writing(table="t", columns=columns)) == TableReport(name="t")


def test_a_column_without_type_keeps_its_name():
    assert parse_table(writing(table="t", columns=[{"name": "iata"}])) == TableReport(
        name="t", columns=(TableColumn(name="iata", type=""),)
    )


@pytest.mark.parametrize("table", [None, 3, ["t"]])
def test_an_event_without_a_table_name_reports_none(table):
    assert parse_table(writing(table=table)) is None


def test_only_metrics_writing_reports_a_table():
    event = ConnectorEvent(event_type="metrics_complete", fields={"table": "t"})
    assert parse_table(event) is None
