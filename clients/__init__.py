"""What people use Operator through: the API client, the command line, the TUI, the editor extension."""
