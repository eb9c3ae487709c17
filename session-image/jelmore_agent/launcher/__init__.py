"""The launcher: owns the Claude Code CLI of one session. Standard library only, also in what it imports of ours."""
