"""All of Jelmore on one machine: the servers from wheels, the demo model and `jelmore up`."""
