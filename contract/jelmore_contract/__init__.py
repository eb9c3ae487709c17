"""What the parts of Jelmore say to each other: names, subjects, states, resources, events and commands. Pure, no I/O."""
