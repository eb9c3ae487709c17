"""`observe -> decide(observed, now) -> Plan -> apply`: what a session needs, as pure functions of what is
observed now.

Nothing here does I/O or reads a clock. Two actuators carry the plans out: processes on one machine, pods in
a cluster.
"""
