"""The command ``podcause``: one file per sub-command. It imports everything and decides nothing."""
