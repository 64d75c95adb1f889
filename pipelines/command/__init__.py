"""What the verbs of the command line do, beyond a call of one stage: syncs, the demo, what the terminal shows."""
