"""Which Jelmore this is. The images hold no packages' metadata, so it stands here too; a test compares."""

VERSION = "0.1.0"
