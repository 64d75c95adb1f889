"""The stages as Dagster runs them: jobs, schedules, sensors, alerts, and what its instance needs. No figures here."""
