"""Who may say what: the owner states, everybody else asks. Pure decisions, no broker and no clock."""
