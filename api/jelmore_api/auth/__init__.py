"""Who may call: on one machine, programs of this machine and pages served from here; with a token, whoever has it."""
