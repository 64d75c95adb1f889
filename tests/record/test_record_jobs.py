"""The write-back in Dagster: a job of its own, and no part of the sync unless a setting asks for it."""

import dagster as dg
import pytest
from given_collection import sync
from on_the_server import keeps_failing, writes_of

from pipelines.definitions import build_definitions
from pipelines.record.record_jobs import ESCALATIONS


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_the_sync_takes_the_escalations_along_only_where_the_setting_says_so(sandbox, settings_for, is_asked_for):
    definitions = build_definitions(settings_for(sandbox, escalate_after_sync=is_asked_for))

    taken = definitions.resolve_job_def("sync").asset_layer.executable_asset_keys

    assert (ESCALATIONS in taken) is is_asked_for


SEND = {"ops": {"follow_up": {"config": {"send": True, "limit": 2}}}}


def test_the_job_lists_unless_told_to_send_on_a_machine_that_allows_it(sandbox, settings_for):
    settings = settings_for(sandbox)
    keeps_failing(sandbox)
    sync(settings)
    job = build_definitions(settings).resolve_job_def("escalate")
    allowed = settings.model_copy(update={"send_from_dagster": True})

    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        refused = job.execute_in_process(instance=instance, run_config=SEND, raise_on_error=False)
        said = refused.get_step_failure_events()[0].step_failure_data.error.to_string()
        assert "NEXUDUS_SEND_FROM_DAGSTER=true" in said
        assert writes_of(sandbox) == 0

        job = build_definitions(allowed).resolve_job_def("escalate")
        assert job.execute_in_process(instance=instance, run_config=SEND).success
        assert 0 < writes_of(sandbox) <= 2
