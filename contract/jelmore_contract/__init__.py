"""What the parts of Jelmore say to each other: subjects, events, commands, states, resources. No I/O."""
