"""The verbs of the command line: flags, help, and calls into the rooms before; what the user can change is a UserError."""
