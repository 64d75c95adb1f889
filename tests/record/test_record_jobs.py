"""The write-back in Dagster: a job of its own, and no part of the sync unless a setting asks for it."""

import dagster as dg
import pytest
from given_collection import sync

from pipelines.definitions import build_definitions
from pipelines.record.record_jobs import ESCALATIONS

pytestmark = pytest.mark.filterwarnings("ignore:.*currently in beta")


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_the_sync_takes_the_escalations_along_only_where_the_setting_says_so(sandbox, settings_for, is_asked_for):
    definitions = build_definitions(settings_for(sandbox, escalate_after_sync=is_asked_for))

    taken = definitions.resolve_job_def("sync").asset_layer.executable_asset_keys

    assert (ESCALATIONS in taken) is is_asked_for


def test_the_job_lists_unless_told_to_send(sandbox, settings_for):
    settings = settings_for(sandbox)
    sync(settings)
    job = build_definitions(settings).resolve_job_def("escalate")

    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        assert sandbox.store.notified_ids == []
        config = {"ops": {"follow_up": {"config": {"send": True, "limit": 2}}}}
        assert job.execute_in_process(instance=instance, run_config=config).success
        assert len(sandbox.store.notified_ids) <= 2
